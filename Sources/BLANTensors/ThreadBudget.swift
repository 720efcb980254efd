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

  /// The smallest quota of the process's cgroup and of those around it: each of them limits it.
  private static func cgroupQuota() -> Int? {
    let paths = readFile("/proc/self/cgroup", upTo: 4096).map(cgroupPaths(ofProcess:)) ?? ["/"]
    let unified = paths.compactMap { readFile("/sys/fs/cgroup\($0)/cpu.max").flatMap(quota(fromCPUMax:)) }
    let older = paths.compactMap { path -> Int? in
      guard let quota = readFile("/sys/fs/cgroup/cpu\(path)/cpu.cfs_quota_us").flatMap(firstNumber),
        let period = readFile("/sys/fs/cgroup/cpu\(path)/cpu.cfs_period_us").flatMap(firstNumber)
      else { return nil }
      return threads(quota: quota, period: period)
    }
    return (unified + older).min()
  }

  /// The cgroups that a process's `/proc/self/cgroup` says it is in, for processors, and those around them:
  /// `0::/user.slice/job` gives `/`, `/user.slice` and `/user.slice/job`.
  static func cgroupPaths(ofProcess text: String) -> [String] {
    var paths: Set = ["/"]
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, fields[1].isEmpty || fields[1].split(separator: ",").contains("cpu") else { continue }
      var path = ""
      for part in fields[2].split(separator: "/") where part != ".." {
        path += "/" + part
        paths.insert(path)
      }
    }
    return paths.sorted()
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

  /// The beginning of a file; nil where it cannot be read.
  private static func readFile(_ path: String, upTo capacity: Int = 256) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: capacity)
    let count = read(file, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
