import CBLAN
import FoundationEssentials

@_cdecl("blan_version")
public func version() -> UnsafePointer<CChar>? { nil }

@_cdecl("blan_test_json")
public func testjson(_ p: UnsafePointer<UInt8>, _ n: Int) -> Int32 {
  let d = Data(bytes: p, count: n)
  return (try? JSONDecoder().decode([String: Int].self, from: d)).map { Int32($0.count) } ?? -1
}
