import BLANTensors

/// A value of a MATLAB file, its elements in the file's order: column after column.
enum MATValue {
  /// Real numbers of any storage.
  case numbers(rows: Int, columns: Int, [Double])
  /// The rows of a character array, without spaces at their ends.
  case text([String])
  case cells([MATValue])
  /// Structures, objects, sparse and complex arrays, and arrays of more than two dimensions: not read.
  case other
}

/// The variables of a MATLAB file of version 5 (`save -v7` or `-v6`, `scipy.io.savemat`), compressed or not, of either
/// byte order. Nothing in a file is trusted: lengths, counts and nesting are checked before memory is taken.
struct MATFile {
  private static let headerBytes = 128
  /// Bytes that the compressed variables of a file may stand for.
  private static let largestInflated = 256 << 20
  /// Numbers, characters and cells in one variable.
  private static let largestCount = 32 << 20
  private static let deepestNesting = 8

  let variables: [String: MATValue]

  /// - Throws: `BLANError.io`; `.format` for a damaged file; `.unsupported` for one of version 4 or 7.3. Each names the
  ///   file, and the variable where one is at fault.
  init(path: String) throws {
    variables = try FileContent(path: path).withBytes { try Self.read($0, file: path) }
  }

  private static func read(_ bytes: UnsafeRawBufferPointer, file: String) throws -> [String: MATValue] {
    // Version 7.3 has HDF5's signature behind a block for the user.
    if bytes.starts(with: Array("MATLAB 7.3".utf8)) || bytes.starts(with: [0x89, 0x48, 0x44, 0x46]) {
      throw BLANError.unsupported(
        "\(file) is a MATLAB file of version 7.3 (HDF5); expected version 5: save it again with -v7 in MATLAB or with "
          + "scipy.io.savemat")
    }
    guard bytes.count >= headerBytes else {
      throw BLANError.format(
        "\(file) has \(bytes.count) bytes; a MATLAB file of version 5 has more than \(headerBytes)")
    }
    let isBigEndian: Bool
    switch (bytes[126], bytes[127]) {
    case (UInt8(ascii: "I"), UInt8(ascii: "M")): isBigEndian = false
    case (UInt8(ascii: "M"), UInt8(ascii: "I")): isBigEndian = true
    default: throw BLANError.unsupported("\(file) is no MATLAB file of version 5")
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes[headerBytes...])
    var variables: [String: MATValue] = [:]
    var inflated = 0
    var elements = MATElements(body, isBigEndian: isBigEndian, place: file)
    while let element = try elements.next() {
      guard element.type == .compressed else {
        try add(element, file: file, to: &variables)
        continue
      }
      let content = try Inflater.inflate(element.bytes, limit: largestInflated - inflated, place: file)
      inflated += content.count
      try content.withUnsafeBytes { content in
        var inner = MATElements(content, isBigEndian: isBigEndian, place: file)
        try add(try inner.required("the compressed variable"), file: file, to: &variables)
      }
    }
    return variables
  }

  private static func add(_ element: MATElement, file: String, to variables: inout [String: MATValue]) throws {
    // Other elements at the top are private to MATLAB.
    guard element.type == .matrix else { return }
    var budget = largestCount
    let (name, value) = try matrix(element, place: file, depth: 0, budget: &budget)
    variables[name] = value
  }

  // MARK: - Arrays

  private enum ArrayClass {
    static let cell: UInt32 = 1
    static let character: UInt32 = 4
    static let numbers: ClosedRange<UInt32> = 6...15
    static let complexFlag: UInt32 = 1 << 11
  }

  /// - Parameter budget: elements that the variable may still have.
  private static func matrix(
    _ element: MATElement, place: String, depth: Int, budget: inout Int
  ) throws -> (name: String, value: MATValue) {
    guard depth <= deepestNesting else {
      throw BLANError.format("\(place): cells nested more than \(deepestNesting) deep")
    }
    // An empty cell may be written as an element without content.
    guard !element.bytes.isEmpty else { return ("", .numbers(rows: 0, columns: 0, [])) }
    var parts = MATElements(element.bytes, isBigEndian: element.isBigEndian, place: place)
    let flags = try parts.required("an array's flags")
    guard flags.type == .uint32, flags.count == 2 else { throw BLANError.format("\(place): an array without flags") }
    let word = UInt32(flags.number(0))
    let shape = try parts.required("an array's dimensions")
    guard shape.type == .int32, shape.count >= 2 else {
      throw BLANError.format("\(place): an array without two dimensions")
    }
    let name = String(decoding: try parts.required("an array's name").bytes, as: UTF8.self)
    let here = name.isEmpty ? place : "\(place), variable \(excerpt(name))"
    let sides = (0..<shape.count).map { Int(shape.number($0)) }
    guard sides.allSatisfy({ $0 >= 0 }), let count = product(sides), count <= budget else {
      throw BLANError.format("\(here): \(listing(sides.map(String.init))) elements; expected \(largestCount) at most")
    }
    budget -= count
    guard sides.count == 2 else { return (name, .other) }
    switch word & 0xff {
    case ArrayClass.cell:
      // Each cell takes eight bytes at least, so the count is held against them before anything is made.
      guard count <= parts.remaining / 8 else {
        throw BLANError.format("\(here): \(count) cells in \(parts.remaining) bytes")
      }
      var cells: [MATValue] = []
      cells.reserveCapacity(count)
      for index in 0..<count {
        let cell = try parts.required("cell \(index)")
        guard cell.type == .matrix else { throw BLANError.format("\(here): cell \(index) is no array") }
        cells.append(try matrix(cell, place: here, depth: depth + 1, budget: &budget).value)
      }
      return (name, .cells(cells))
    case ArrayClass.character:
      return (name, .text(try text(try data(&parts, count, here), rows: sides[0], columns: sides[1])))
    case ArrayClass.numbers where word & ArrayClass.complexFlag == 0:
      let data = try data(&parts, count, here)
      return (name, .numbers(rows: sides[0], columns: sides[1], (0..<count).map { data.number($0) }))
    default:
      return (name, .other)
    }
  }

  private static func product(_ sides: [Int]) -> Int? {
    var total = 1
    for side in sides {
      let (next, overflow) = total.multipliedReportingOverflow(by: side)
      guard !overflow else { return nil }
      total = next
    }
    return total
  }

  private static func data(_ parts: inout MATElements, _ count: Int, _ place: String) throws -> MATElement {
    let data = try parts.required("an array's content")
    // UTF-8 needs more bytes than characters where these are not ASCII.
    guard data.count == count || (data.type == .utf8 && data.count >= count) else {
      throw BLANError.format("\(place): content for \(data.count) elements; expected \(count)")
    }
    return data
  }

  private static func text(_ data: MATElement, rows: Int, columns: Int) throws -> [String] {
    guard rows > 0, columns > 0 else { return [] }
    if data.type == .utf8 && rows == 1 { return [String(decoding: data.bytes, as: UTF8.self).withoutSpacesAtEnd] }
    return (0..<rows).map { row in
      let units = (0..<columns).map { column -> UInt16 in
        let number = data.number(column * rows + row)
        return number >= 0 && number < 65536 ? UInt16(number) : 0xfffd
      }
      return String(decoding: units, as: UTF16.self).withoutSpacesAtEnd
    }
  }
}

extension String {
  fileprivate var withoutSpacesAtEnd: String {
    var view = self[...]
    while view.last == " " || view.last == "\0" { view = view.dropLast() }
    return String(view)
  }
}
