// swift-tools-version: 6.0
import PackageDescription

// Kernels are optimised in debug builds too: at -O0 the numerical tests would take hours.
let kernelFlags: [CSetting] = [
  .unsafeFlags([
    "-O3", "-std=c11", "-fopenmp", "-fno-math-errno", "-ffp-contract=fast", "-fvisibility=hidden",
    "-Wall", "-Wextra", "-Werror",
    // 64-byte vectors pass between inlined functions alone, so no calling convention is at stake.
    "-Wno-psabi",
  ])
]

// The serial OpenBLAS: it starts no threads of its own and has no global thread count to disturb.
let openBLASDirectory = "/usr/lib/x86_64-linux-gnu/openblas-serial"

// What scripts/openmp/build.sh makes: libomp as an archive. Where it is missing, tests run with Debian's shared libomp.
let privateOpenMPDirectory = "\(Context.packageDirectory)/build/openmp"

let swift6: [SwiftSetting] = [.swiftLanguageMode(.v6)]

/// Off a prediction's path, code is compiled for size; on it, -Osize would allocate where -O does not.
let small: [SwiftSetting] = [.unsafeFlags(["-Osize"], .when(configuration: .release))]

func module(_ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swift6 + settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies, swiftSettings: swift6)
}

let package = Package(
  name: "libblan",
  products: [
    .library(name: "blan", type: .dynamic, targets: ["BLANExports"])
  ],
  targets: [
    .systemLibrary(name: "CBLAN", path: "include"),
    .systemLibrary(name: "CJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "spng", providers: [.apt(["libspng-dev"])]),
    .systemLibrary(name: "CZLIB", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "CBLANKernels", cSettings: kernelFlags,
      linkerSettings: [
        .linkedLibrary("omp"), .linkedLibrary("m"), .linkedLibrary("openblas"),
        .unsafeFlags([
          "-L\(privateOpenMPDirectory)", "-L/usr/lib/llvm-14/lib", "-L\(openBLASDirectory)",
          "-Xlinker", "-rpath", "-Xlinker", openBLASDirectory,
        ]),
      ]),

    .target(
      name: "CBLANSupport",
      cSettings: [.unsafeFlags(["-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"])]),

    module("BLANTensors", ["CBLANSupport", "CBLANKernels"]),
    module("BLANNetwork", ["BLANTensors"], settings: small),
    module("BLANWeights", ["BLANTensors", "BLANNetwork"], settings: small),
    module("BLANImages", ["BLANTensors", "CBLANKernels", "CJPEG", "CPNG"]),
    module("BLANData", ["BLANTensors", "BLANImages", "CBLANKernels", "CZLIB"], settings: small),
    module("BLANDetection", ["BLANTensors", "BLANWeights", "BLANImages", "CBLANKernels"], settings: small),
    module(
      "BLANInference",
      ["BLANTensors", "BLANNetwork", "BLANWeights", "BLANImages", "BLANDetection", "CBLANKernels"]),
    module(
      "BLANTraining",
      ["BLANTensors", "BLANNetwork", "BLANWeights", "BLANData", "BLANInference", "CBLANKernels"], settings: small),
    module(
      "BLANExports",
      [
        "CBLAN", "CBLANKernels", "CBLANSupport", "BLANTensors", "BLANNetwork", "BLANWeights", "BLANImages", "BLANData",
        "BLANDetection", "BLANInference",
        "BLANTraining",
      ], settings: small),

    // Fixtures and what reads them, for the tests alone.
    .target(
      name: "BLANTestSupport", dependencies: ["BLANTensors", "BLANNetwork", "BLANWeights"],
      path: "Tests/BLANTestSupport", swiftSettings: swift6),
    tests(of: "CBLANKernels", ["BLANTensors"]),
    tests(of: "BLANTensors"),
    tests(of: "BLANNetwork"),
    tests(of: "BLANWeights", ["BLANTestSupport"]),
    tests(of: "BLANImages", ["BLANTestSupport"]),
    tests(of: "BLANData"),
    tests(of: "BLANDetection", ["BLANTestSupport"]),
    tests(of: "BLANInference", ["BLANTestSupport"]),
    tests(of: "BLANTraining", ["BLANTestSupport"]),
  ]
)
