import BLANNetwork
import BLANTensors
import BLANWeights
import CBLAN

/// `blan_model_file`: an open model file, its graph as text, and the shapes of the tensors that the graph reads.
final class ModelFileHandle: Handle, Sendable {
  let file: ModelFile
  let graph: CString
  let shapes: [String: [Int]]

  init(_ file: ModelFile) throws {
    self.file = file
    graph = CString(try file.graphJSON())
    let parameters = Network(file.description.configuration).parameters
    shapes = Dictionary(parameters.map { ($0.name, $0.shape) }) { first, _ in first }
  }
}

@_cdecl("blan_model_file_open")
public func modelFileOpen(_ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?) -> blan_status {
  guarded(out) { try ModelFileHandle(ModelFile(path: readablePath(path, "path"))).retained() }
}

@_cdecl("blan_model_file_free")
public func modelFileFree(_ file: OpaquePointer?) { ModelFileHandle.free(file) }

@_cdecl("blan_model_file_graph")
public func modelFileGraph(_ file: OpaquePointer?) -> UnsafePointer<CChar>? {
  ModelFileHandle.optional(file)?.graph.pointer
}

@_cdecl("blan_model_file_tensor")
public func modelFileTensor(
  _ file: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<Float>?, _ count: Int
) -> blan_status {
  guarded {
    let handle = try ModelFileHandle.required(file, "file")
    let name = try text(name, "name")
    let out = try required(out, "out")
    guard let shape = handle.shapes[name] else {
      throw BLANError.invalidArgument("the network has no tensor \"\(name.prefix(80))\"")
    }
    guard count == shape.reduce(1, *) else {
      throw BLANError.shape(
        "count is \(UInt(bitPattern: count)); tensor \"\(name)\" has shape \(shape), \(shape.reduce(1, *)) elements")
    }
    try handle.file.withTensor(name, shape: shape) { values in
      for (index, value) in values.enumerated() { out[index] = value }
    }
  }
}
