// What finalizing a descriptor checks and makes: the heuristics' engines, a plan's text and workspace.
#include <algorithm>

#include "tests/card/cudnn_store.h"

namespace tailseg::card {
namespace {

constexpr int64_t kWorkspace = 1 << 20;

StoredPointer made(cudnnBackendDescriptorType_t type, std::shared_ptr<const ConvPlan> plan) {
  auto out = std::make_shared<Stored>();
  out->type = type;
  out->plan = std::move(plan);
  out->finalized = true;
  return out;
}

template <class T>
Attribute attribute(cudnnBackendAttributeType_t type, const std::vector<T>& values) {
  const auto* begin = reinterpret_cast<const char*>(values.data());
  return {type, static_cast<int64_t>(values.size()), std::vector<char>(begin, begin + values.size() * sizeof(T)), {}};
}

// An engine and a configuration of it, as the heuristics hand them out.
StoredPointer configuration(const ConvPlan& of, int64_t engine_index) {
  auto plan = std::make_shared<ConvPlan>(of);
  plan->engine = engine_index;
  plan->workspace = kWorkspace;
  std::vector<cudnnBackendNumericalNote_t> notes;
  const bool tensor_cores = engine_index != kExactEngine || of.w.type == Number::bfloat16;
  if (tensor_cores) notes.push_back(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  if (engine_index == kRandomEngine) notes.push_back(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  if (engine_index == kShortEngine) notes.push_back(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
  StoredPointer engine = made(CUDNN_BACKEND_ENGINE_DESCRIPTOR, plan);
  engine->attributes[CUDNN_ATTR_ENGINE_GLOBAL_INDEX] = attribute<int64_t>(CUDNN_TYPE_INT64, {engine_index});
  engine->attributes[CUDNN_ATTR_ENGINE_NUMERICAL_NOTE] = attribute(CUDNN_TYPE_NUMERICAL_NOTE, notes);
  StoredPointer config = made(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, plan);
  config->attributes[CUDNN_ATTR_ENGINECFG_ENGINE] = {CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, {}, {engine}};
  return config;
}

void finalize_heuristics(Stored& heuristics) {
  const Stored& graph = heuristics.descriptor(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  const auto mode = heuristics.value<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE);
  if (mode == CUDNN_HEUR_MODE_FALLBACK && !refusal(*graph.plan).empty()) {
    refuse_cudnn("no engine", CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  }
  Attribute results{CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, {}, {configuration(*graph.plan, kRandomEngine)}};
  if (graph.plan->w.type == Number::float32) results.descriptors.push_back(configuration(*graph.plan, kShortEngine));
  results.descriptors.push_back(configuration(*graph.plan, kExactEngine));
  results.count = static_cast<int64_t>(results.descriptors.size());
  heuristics.attributes[CUDNN_ATTR_ENGINEHEUR_RESULTS] = results;
}

void finalize_plan(Stored& plan) {
  const bool json = plan.has(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
  if (json == plan.has(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)) {
    refuse_cudnn("a plan needs an engine's configuration or its text");
  }
  if (plan.has(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) == plan.has(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP)) {
    refuse_cudnn("a plan needs a handle or a device's description");
  }
  if (plan.has(CUDNN_ATTR_EXECUTION_PLAN_HANDLE)) {
    check_handle(plan.value<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE));
  }
  if (json)
    plan.plan = std::make_shared<ConvPlan>(plan_from_json(plan.text(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION)));
  else
    plan.plan = plan.descriptor(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG).plan;
  if (const std::string why = refusal(*plan.plan); !why.empty()) {
    refuse_cudnn(why, CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  }
  const std::string text = plan.plan->json();
  plan.attributes[CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION] =
      attribute(CUDNN_TYPE_CHAR, std::vector<char>(text.begin(), text.end()));
  plan.attributes[CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE] =
      attribute<int64_t>(CUDNN_TYPE_INT64, {plan.plan->workspace});
}

void finalize_tensor(const Stored& tensor) {
  const auto alignment = tensor.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  if (alignment < 1 || (alignment & (alignment - 1)) != 0) refuse_cudnn("an alignment that is no power of two");
  const auto sizes = tensor.values<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  const auto strides = tensor.values<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  if (sizes.size() != strides.size()) refuse_cudnn("as many strides as dimensions are needed");
  for (int64_t size : sizes) {
    if (size < 1) refuse_cudnn("an empty dimension");
  }
}

void finalize_pack(const Stored& pack) {
  auto uids = pack.values<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  if (pack.at(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).count != static_cast<int64_t>(uids.size())) {
    refuse_cudnn("as many pointers as unique ids are needed");
  }
  std::sort(uids.begin(), uids.end());
  if (std::adjacent_find(uids.begin(), uids.end()) != uids.end()) {
    refuse_cudnn("a unique id twice", CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES);
  }
}

void finalize_description(Stored& device) {
  if (device.has(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION)) return;
  if (!device.has(CUDNN_ATTR_DEVICEPROP_HANDLE)) refuse_cudnn("a description needs a handle or a text");
  check_handle(device.value<cudnnHandle_t>(CUDNN_ATTR_DEVICEPROP_HANDLE));
  const std::string text = "{\"name\": \"emulated card\"}";
  device.attributes[CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION] =
      attribute(CUDNN_TYPE_CHAR, std::vector<char>(text.begin(), text.end()));
}

}  // namespace

void finalize(Stored& descriptor) {
  check_complete(descriptor);
  switch (descriptor.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
      finalize_tensor(descriptor);
      break;
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
      descriptor.plan = std::make_shared<ConvPlan>(plan_of_graph(descriptor));
      break;
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      finalize_heuristics(descriptor);
      break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
      finalize_plan(descriptor);
      break;
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
      finalize_pack(descriptor);
      break;
    case CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR:
      finalize_description(descriptor);
      break;
    default:
      break;
  }
  descriptor.finalized = true;
}

}  // namespace tailseg::card
