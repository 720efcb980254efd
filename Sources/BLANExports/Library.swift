import BLANTensors
import CBLAN
import CBLANKernels
import CBLANSupport

@_cdecl("blan_version")
public func version() -> UnsafePointer<CChar>? { Library.version }

@_cdecl("blan_last_error")
public func lastError() -> UnsafePointer<CChar>? { blan_s_last_error() }

@_cdecl("blan_status_name")
public func statusName(_ status: blan_status) -> UnsafePointer<CChar>? {
  Library.statusNames[Int(status)] ?? Library.unknownStatus
}

@_cdecl("blan_instruction_set")
public func instructionSet() -> UnsafePointer<CChar>? { blan_k_isa_name() }

@_cdecl("blan_openmp_runtime")
public func openMPRuntime() -> UnsafePointer<CChar>? { blan_k_openmp_runtime() }

@_cdecl("blan_default_threads")
public func defaultThreads() -> Int32 { Int32(clamping: ThreadBudget.automatic()) }

/// Texts that live as long as the process.
private enum Library {
  // Written once, never again, and never freed.
  nonisolated(unsafe) static let version = permanent(BLAN_VERSION)
  nonisolated(unsafe) static let unknownStatus = permanent("unknown status")
  nonisolated(unsafe) static let statusNames: [Int: UnsafePointer<CChar>] = [
    Int(BLAN_OK): permanent("BLAN_OK"),
    Int(BLAN_ERROR_INVALID_ARGUMENT): permanent("BLAN_ERROR_INVALID_ARGUMENT"),
    Int(BLAN_ERROR_IO): permanent("BLAN_ERROR_IO"),
    Int(BLAN_ERROR_FORMAT): permanent("BLAN_ERROR_FORMAT"),
    Int(BLAN_ERROR_SHAPE): permanent("BLAN_ERROR_SHAPE"),
    Int(BLAN_ERROR_UNSUPPORTED): permanent("BLAN_ERROR_UNSUPPORTED"),
    Int(BLAN_ERROR_OUT_OF_MEMORY): permanent("BLAN_ERROR_OUT_OF_MEMORY"),
    Int(BLAN_ERROR_CANCELLED): permanent("BLAN_ERROR_CANCELLED"),
    Int(BLAN_ERROR_INTERNAL): permanent("BLAN_ERROR_INTERNAL"),
  ]

  private static func permanent(_ text: String) -> UnsafePointer<CChar> { UnsafePointer(CString(text).copy()) }
}
