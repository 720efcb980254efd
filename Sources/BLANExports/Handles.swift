import BLANImages
import BLANInference
import BLANNetwork
import BLANTensors
import CBLAN

/// What an opaque pointer of the header points to.
protocol Handle: AnyObject {}

extension Handle {
  /// The handle as C sees it; the caller owns one reference.
  func retained() -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

  static func optional(_ pointer: OpaquePointer?) -> Self? {
    pointer.map { Unmanaged<Self>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
  }

  static func required(_ pointer: OpaquePointer?, _ name: String) throws -> Self {
    guard let handle = optional(pointer) else { throw BLANError.invalidArgument("\(name) is NULL") }
    return handle
  }

  static func free(_ pointer: OpaquePointer?) { release(pointer) }
}

/// Gives up the caller's reference to a handle of whatever type.
func release(_ pointer: OpaquePointer?) {
  pointer.map { Unmanaged<AnyObject>.fromOpaque(UnsafeRawPointer($0)).release() }
}

/// `blan_model`: a model and the C strings that live as long as it.
final class ModelHandle: Handle, Sendable {
  let model: FaceModel
  let attributes: [CString]
  let configuration: CString
  let costs: [(module: CString, row: CostTable.Row)]

  init(_ model: FaceModel) {
    self.model = model
    attributes = model.configuration.attributes.map(CString.init)
    configuration = CString(model.configurationText)
    costs = CostTable(model.predictor.network).rows.map { (CString($0.module), $0) }
  }
}

/// `blan_bitmap`.
final class BitmapHandle: Handle, Sendable {
  let image: Image

  init(_ image: Image) { self.image = image }
}
