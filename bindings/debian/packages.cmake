# The pair libblan0, libblan-dev by CPack: included by CMakeLists.txt where BLAN_DEBIAN is on, run by scripts/deb.sh.
set(BLAN_CARRIED "" CACHE PATH "Bill of materials and licences, as scripts/carried.py writes them")
set(documents ${CMAKE_INSTALL_DATADIR}/doc)

install(FILES ${CMAKE_SOURCE_DIR}/bindings/debian/copyright DESTINATION ${documents}/libblan0 COMPONENT runtime)
install(DIRECTORY ${BLAN_CARRIED}/ DESTINATION ${documents}/libblan0 COMPONENT runtime)
install(FILES ${CMAKE_SOURCE_DIR}/models/default.safetensors ${CMAKE_SOURCE_DIR}/models/mtcnn.safetensors
              ${CMAKE_SOURCE_DIR}/models/README.md ${CMAKE_SOURCE_DIR}/models/default.md
        DESTINATION ${CMAKE_INSTALL_DATADIR}/libblan0/models COMPONENT runtime)
install(FILES ${CMAKE_SOURCE_DIR}/bindings/debian/copyright DESTINATION ${documents}/libblan-dev COMPONENT development)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/c DESTINATION ${documents}/libblan-dev/examples COMPONENT development)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME blan)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE amd64)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "the libblan authors <libblan@localhost>")
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libblan${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION non-free/libs) # the bundled model is for non-commercial research
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "The Bi-directional Ladder Attentive Network as a shared library with a C interface:
it finds faces in photos and gives the probability of forty attributes of each.
The models are here too; the bundled network is for non-commercial research only.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
# What shlibdeps does not find: packed relocations need 2.36 of the C library, and of the OpenBLASes it would accept any,
# although others start threads of their own.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "libc6 (>= 2.36), libopenblas0-serial")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_GENERATE_SHLIBS ON)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libblan-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION non-free/libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "What C and C++ programs are built with: blan.h, files for pkg-config and CMake, examples.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libblan${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
include(CPack)
