import CBLANSupport
import Glibc

/// How many threads this process may reasonably use.
public enum ThreadBudget {
  public static let range = 1...1024

  /// The smallest of the affinity mask, the cgroup's CPU quota (v2 or v1) and OMP_NUM_THREADS; at least 1.
  public static func automatic() -> Int {
    var budget = affinity()
    if let quota = cgroupQuota() { budget = min(budget, quota) }
    if let wanted = openMPThreads() { budget = min(budget, wanted) }
    return min(max(budget, range.lowerBound), range.upperBound)
  }

  /// `requested`, or the automatic number for 0.
  ///
  /// - Throws: `BLANError.invalidArgument` for a negative or absurd number.
  public static func resolve(_ requested: Int) throws -> Int {
    if requested == 0 { return automatic() }
    guard range.contains(requested) else {
      throw BLANError.invalidArgument("threads is \(requested); expected 0 (automatic) or 1 to \(range.upperBound)")
    }
    return requested
  }

  private static func affinity() -> Int {
    let allowed = Int(blan_s_affinity_count())
    return allowed > 0 ? allowed : max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1)
  }

  private static func openMPThreads() -> Int? {
    guard let value = getenv("OMP_NUM_THREADS") else { return nil }
    // A list gives the numbers of nested levels; the first is ours.
    let first = String(cString: value).prefix { $0 != "," }
    return Int(first.filter { $0 != " " }).flatMap { $0 > 0 ? $0 : nil }
  }

  private static func cgroupQuota() -> Int? {
    if let text = readSmallFile("/sys/fs/cgroup/cpu.max") { return quota(fromCPUMax: text) }
    guard let quota = readSmallFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").flatMap(firstNumber),
      let period = readSmallFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us").flatMap(firstNumber)
    else { return nil }
    return threads(quota: quota, period: period)
  }

  /// Reads `max 100000` or `150000 100000` of cgroup v2.
  static func quota(fromCPUMax text: String) -> Int? {
    let parts = text.split { $0 == " " || $0 == "\n" }
    guard parts.count == 2, let quota = Int(parts[0]), let period = Int(parts[1]) else { return nil }
    return threads(quota: quota, period: period)
  }

  private static func threads(quota: Int, period: Int) -> Int? {
    guard quota > 0, period > 0 else { return nil }
    return max(1, quota / period + (quota % period == 0 ? 0 : 1))
  }

  private static func firstNumber(_ text: String) -> Int? { Int(text.prefix { $0 != "\n" }) }

  private static func readSmallFile(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(file, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
