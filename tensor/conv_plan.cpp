#include "tensor/conv_plan.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace tailseg {
namespace {

constexpr const char* kDirections[] = {"forward", "backward_data", "backward_filter"};
constexpr const char* kMath[] = {"float32", "tf32", "bfloat16"};
constexpr const char* kFormat = "tailseg convolution plans 1";

int alignment_of(const Tensor& tensor, int so_far) {
  const auto address = reinterpret_cast<uintptr_t>(tensor.raw());
  while (so_far > 1 && address % static_cast<uintptr_t>(so_far) != 0) so_far /= 2;
  return so_far;
}

std::string member(const rapidjson::Document& file, const char* name, const std::string& path) {
  TS_CHECK(file.HasMember(name) && file[name].IsString(), path, " is no plan file: no text \"", name, "\"");
  return file[name].GetString();
}

}  // namespace

double ConvPlanKey::products() const {
  return double(n) * double(p) * double(q) * double(k) * double(r) * double(s) * double(c / groups);
}

std::string ConvPlanKey::text() const {
  return tailseg::text(kDirections[static_cast<int>(direction)], " ", name_of(dtype), " ",
                       kMath[static_cast<int>(math)], " x[", n, ",", h, ",", w, ",", c, "] w[", k, ",", r, ",", s, ",",
                       c / groups, "] y[", n, ",", p, ",", q, ",", k, "] stride ", stride, " padding ", padding,
                       " dilation ", dilation, groups == 1 ? std::string() : tailseg::text(" groups ", groups),
                       " alignment ", alignment, bias ? " +bias" : "", residual ? " +residual" : "",
                       relu ? " +relu" : "");
}

size_t HashConvPlanKey::operator()(const ConvPlanKey& key) const {
  size_t hash = 1469598103934665603u;  // FNV-1a over the fields
  const auto mix = [&hash](int64_t value) { hash = (hash ^ static_cast<size_t>(value)) * 1099511628211u; };
  for (int64_t value : {key.n, key.h, key.w, key.c, key.k, key.r, key.s, key.p, key.q, key.stride, key.padding}) {
    mix(value);
  }
  mix(key.dilation);
  mix(key.groups);
  mix(static_cast<int64_t>(key.direction) | static_cast<int64_t>(key.dtype) << 4 | static_cast<int64_t>(key.math) << 8);
  mix(key.alignment | key.bias << 8 | key.residual << 9 | key.relu << 10);
  return hash;
}

ConvPlanKey conv_plan_key(ConvDirection direction, const Tensor& x, const Tensor& w, const Tensor& y,
                          const ConvGeometry& geometry, const ConvEpilogue& epilogue, MathMode math) {
  ConvPlanKey key;
  key.direction = direction;
  key.dtype = x.dtype();
  key.math = x.dtype() == DType::float32 ? math : MathMode::bfloat16;
  key.n = x.size(0);
  key.h = x.size(1);
  key.w = x.size(2);
  key.c = x.size(3);
  key.k = w.size(0);
  key.r = w.size(1);
  key.s = w.size(2);
  key.p = y.size(1);
  key.q = y.size(2);
  key.stride = geometry.stride;
  key.padding = geometry.padding;
  key.dilation = geometry.dilation;
  key.groups = geometry.groups;
  key.bias = epilogue.bias != nullptr;
  key.residual = epilogue.residual != nullptr;
  key.relu = epilogue.relu;
  for (const Tensor* tensor : {&x, &w, &y, epilogue.bias, epilogue.residual}) {
    if (tensor) key.alignment = alignment_of(*tensor, key.alignment);
  }
  return key;
}

bool engine_is_allowed(const EngineNotes& notes, const ConvPlanKey& key) {
  if (notes.nondeterministic || notes.reduced_precision_sums) return false;
  const bool strict = key.dtype == DType::float32 && key.math == MathMode::float32;
  if (strict && (notes.tensor_core || notes.down_converts_inputs)) return false;
  // Their transforms lose bits that bfloat16 does not have; in float32 they cost 1e-6.
  if ((notes.winograd || notes.fft) && key.dtype == DType::bfloat16) return false;
  return true;
}

bool takes_any_engine() {
  static const bool on = [] {
    const char* setting = std::getenv("TAILSEG_ANY_ENGINE");
    return setting && std::strcmp(setting, "0") != 0;
  }();
  return on;
}

size_t PlanFile::load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return 0;
  std::stringstream content;
  content << in.rdbuf();
  const std::string json = content.str();
  rapidjson::Document file;
  file.Parse(json.data(), json.size());
  TS_CHECK(!file.HasParseError(), path, " is no plan file: ", rapidjson::GetParseError_En(file.GetParseError()),
           " at byte ", file.GetErrorOffset(), ". Delete it: it will be made again");
  TS_CHECK(file.IsObject() && member(file, "format", path) == kFormat, path, " is no plan file of this version");
  if (member(file, "library", path) != library_ || member(file, "device", path) != device_) return 0;
  TS_CHECK(file.HasMember("plans") && file["plans"].IsObject(), path, " is no plan file: no \"plans\"");
  size_t taken = 0;
  for (const auto& entry : file["plans"].GetObject()) {
    TS_CHECK(entry.value.IsString(), path, ": the plan of '", entry.name.GetString(), "' is not text");
    plans_[entry.name.GetString()] = std::string(entry.value.GetString(), entry.value.GetStringLength());
    ++taken;
  }
  return taken;
}

void PlanFile::save(const std::string& path) const {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](const std::string& s) {
    json.String(s.data(), static_cast<rapidjson::SizeType>(s.size()));
  };
  json.StartObject();
  json.Key("format");
  text(kFormat);
  json.Key("library");
  text(library_);
  json.Key("device");
  text(device_);
  json.Key("plans");
  json.StartObject();
  for (const auto& [key, plan] : plans_) {
    json.Key(key.c_str());
    text(plan);
  }
  json.EndObject();
  json.EndObject();
  const std::string temporary = path + ".tmp";
  std::ofstream out(temporary, std::ios::binary);
  out.write(buffer.GetString(), static_cast<std::streamsize>(buffer.GetSize()));
  out.close();
  TS_CHECK(out && std::rename(temporary.c_str(), path.c_str()) == 0, "cannot write the convolution plans to ", path);
}

const std::string* PlanFile::find(const std::string& key) const {
  const auto found = plans_.find(key);
  return found == plans_.end() ? nullptr : &found->second;
}

#ifndef TAILSEG_CUDA
size_t load_conv_plans(Context&, const std::string&) { return 0; }
void save_conv_plans(Context&, const std::string&) {}
std::vector<ConvPlanReport> conv_plan_reports(Context&) { return {}; }
#endif

}  // namespace tailseg
