import BLANData
import BLANNetwork
import BLANTensors
import CBLAN

/// `blan_dataset`: a data set and the C strings that live as long as it.
final class DatasetHandle: Handle, Sendable {
  struct Group: Sendable {
    let name: CString
    let values: CStringList
    let codes: [Int32]
  }

  let dataset: Dataset
  let attributes: CStringList
  let paths: CStringList
  let groups: [Group]

  init(_ dataset: Dataset) {
    self.dataset = dataset
    attributes = CStringList(dataset.attributes)
    paths = CStringList(dataset.paths)
    groups = dataset.groups.map {
      Group(name: CString($0.name), values: CStringList($0.values), codes: $0.codes)
    }
  }
}

extension blan_dataset_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, kind: blan_dataset_kind(BLAN_DATASET_AUTOMATIC),
      split: blan_split(BLAN_SPLIT_ALL), lfwa_protocol: blan_lfwa_protocol(BLAN_LFWA_HALVES), attributes: nil,
      attribute_count: 0)
  }
}

@_cdecl("blan_dataset_open")
public func datasetOpen(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_dataset_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let path = try BLANExports.path(path, "path")
    let options = try blan_dataset_options.read(options)
    guard let kind = DatasetKind(rawValue: options.kind) else {
      throw BLANError.invalidArgument("kind is \(options.kind); expected one of blan_dataset_kind")
    }
    guard let split = DatasetSplit(rawValue: options.split) else {
      throw BLANError.invalidArgument("split is \(options.split); expected one of blan_split")
    }
    guard let lfwaProtocol = LFWAProtocol(rawValue: options.lfwa_protocol) else {
      throw BLANError.invalidArgument("lfwa_protocol is \(options.lfwa_protocol); expected one of blan_lfwa_protocol")
    }
    let attributes = try names(
      options.attributes, count: options.attribute_count, "attributes", countName: "attribute_count",
      most: Configuration.maximumAttributeCount)
    let dataset = try Dataset.open(
      path: path, kind: kind, split: split, attributes: attributes, protocol: lfwaProtocol)
    return DatasetHandle(dataset).retained()
  }
}

@_cdecl("blan_dataset_free")
public func datasetFree(_ dataset: OpaquePointer?) { DatasetHandle.free(dataset) }

@_cdecl("blan_dataset_count")
public func datasetCount(_ dataset: OpaquePointer?) -> Int { DatasetHandle.optional(dataset)?.dataset.count ?? 0 }

@_cdecl("blan_dataset_attribute_count")
public func datasetAttributeCount(_ dataset: OpaquePointer?) -> Int {
  DatasetHandle.optional(dataset)?.attributes.count ?? 0
}

@_cdecl("blan_dataset_attribute_name")
public func datasetAttributeName(_ dataset: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  DatasetHandle.optional(dataset)?.attributes[index]
}

@_cdecl("blan_dataset_path")
public func datasetPath(_ dataset: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  DatasetHandle.optional(dataset)?.paths[index]
}

@_cdecl("blan_dataset_labels")
public func datasetLabels(_ dataset: OpaquePointer?, _ index: Int, _ labels: UnsafeMutablePointer<Int8>?)
  -> blan_status
{
  guarded {
    let dataset = try DatasetHandle.required(dataset, "dataset").dataset
    let labels = try required(labels, "labels")
    guard dataset.paths.indices.contains(index) else {
      throw BLANError.invalidArgument("index is \(UInt(bitPattern: index)); the data set has \(dataset.count) images")
    }
    for (attribute, label) in dataset.labels(of: index).enumerated() { labels[attribute] = label }
  }
}

@_cdecl("blan_dataset_group_count")
public func datasetGroupCount(_ dataset: OpaquePointer?) -> Int { DatasetHandle.optional(dataset)?.groups.count ?? 0 }

@_cdecl("blan_dataset_group_name")
public func datasetGroupName(_ dataset: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  element(DatasetHandle.optional(dataset)?.groups, index)?.name.pointer
}

@_cdecl("blan_dataset_group_value")
public func datasetGroupValue(_ dataset: OpaquePointer?, _ index: Int, _ item: Int) -> UnsafePointer<CChar>? {
  guard let group = element(DatasetHandle.optional(dataset)?.groups, index), let code = element(group.codes, item)
  else { return nil }
  return group.values[Int(code)]
}

@_cdecl("blan_dataset_subset")
public func datasetSubset(
  _ dataset: OpaquePointer?, _ items: UnsafePointer<Int>?, _ count: Int, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let dataset = try DatasetHandle.required(dataset, "dataset").dataset
    let items = try required(items, "items")
    guard (1...(1 << 31)).contains(count) else {
      throw BLANError.invalidArgument("count is \(UInt(bitPattern: count)); expected 1 to \(1 << 31)")
    }
    return DatasetHandle(try dataset.subset(Array(UnsafeBufferPointer(start: items, count: count)))).retained()
  }
}

@_cdecl("blan_dataset_split")
public func datasetSplit(
  _ dataset: OpaquePointer?, _ validationShare: Double, _ seed: UInt64,
  _ training: UnsafeMutablePointer<OpaquePointer?>?, _ validation: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  training?.pointee = nil
  validation?.pointee = nil
  let undo = {
    release(training)
    release(validation)
  }
  return guarded(undo: undo) {
    let training = try required(training, "training")
    let validation = try required(validation, "validation")
    let dataset = try DatasetHandle.required(dataset, "dataset").dataset
    let parts = try dataset.split(validationShare: validationShare, seed: seed)
    training.pointee = DatasetHandle(parts.training).retained()
    validation.pointee = DatasetHandle(parts.validation).retained()
  }
}
