/// Places buffers of known lifetimes in one block of memory so that no two that live at the same time overlap.
package struct ArenaPlanner {
  /// One buffer: it is written at step `birth` and last read at step `death`.
  package struct Request {
    package let count: Int
    package let birth: Int
    package var death: Int

    package init(count: Int, birth: Int, death: Int) {
      self.count = count
      self.birth = birth
      self.death = death
    }
  }

  /// Floats that one image needs.
  package let size: Int
  /// Where each request lies.
  package let offsets: [Int]

  /// Places the largest first, each at the lowest place where no neighbour in time lies.
  package init(_ requests: [Request]) {
    let alignment = 16
    let order = requests.indices.sorted {
      (requests[$0].count, requests[$1].birth, $1) > (requests[$1].count, requests[$0].birth, $0)
    }
    var offsets = [Int](repeating: 0, count: requests.count)
    var placed: [Int] = []
    var size = 0
    for index in order {
      let request = requests[index]
      let neighbours =
        placed
        .filter { requests[$0].birth <= request.death && request.birth <= requests[$0].death }
        .sorted { offsets[$0] < offsets[$1] }
      let count = (request.count + alignment - 1) / alignment * alignment
      var offset = 0
      for neighbour in neighbours {
        if offset + count <= offsets[neighbour] { break }
        let end = offsets[neighbour] + requests[neighbour].count
        offset = max(offset, (end + alignment - 1) / alignment * alignment)
      }
      offsets[index] = offset
      placed.append(index)
      size = max(size, offset + count)
    }
    self.size = size
    self.offsets = offsets
  }
}
