#include "apps/inspect_checkpoint.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <map>
#include <ostream>

#include "apps/import/weights_file.h"
#include "apps/number_text.h"
#include "nn/safetensors.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

TensorFacts facts_of(const std::string& name, const HostTensor& tensor) {
  TensorFacts facts;
  facts.name = name;
  facts.dtype = tensor.dtype;
  facts.shape = tensor.shape;
  const std::vector<float> values = host_to_float32(tensor, name);
  facts.elements = int64_t(values.size());
  double sum = 0;
  int64_t finite = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      ++facts.non_finite;
      continue;
    }
    facts.least = finite ? std::min(facts.least, double(value)) : value;
    facts.greatest = finite ? std::max(facts.greatest, double(value)) : value;
    sum += value;
    ++finite;
  }
  if (finite) facts.mean = sum / double(finite);
  facts.constant = finite > 1 && facts.non_finite == 0 && facts.least == facts.greatest;
  return facts;
}

void add(CheckpointReport& report, const std::string& name, const HostTensor& tensor) {
  if (tensor.dtype.starts_with("F8")) {  // listed; its values are not looked at
    TensorFacts facts{name, tensor.dtype, tensor.shape, int64_t(tensor.bytes.size()), 0, 0, 0, 0, false};
    report.tensors.push_back(facts);
  } else {
    report.tensors.push_back(facts_of(name, tensor));
  }
  const TensorFacts& facts = report.tensors.back();
  report.elements += facts.elements;
  report.bytes += int64_t(tensor.bytes.size());
  if (facts.non_finite > 0) {
    report.problems.push_back(
        text("'", name, "': ", facts.non_finite, " of ", facts.elements, " values are not finite"));
  }
  if (name.ends_with("running_var") && facts.least < 0) {
    report.problems.push_back(text("'", name, "': a variance of ", facts.least));
  }
}

std::string mib(int64_t bytes) { return number_text(std::round(double(bytes) / (1 << 20) * 10) / 10) + " MiB"; }

std::string rounded(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.4g", value);
  return digits;
}

template <class Writer>
void put(Writer& json, const std::string& text) {
  json.String(text.data(), rapidjson::SizeType(text.size()));
}

template <class Writer>
void put(Writer& json, const TensorFacts& facts) {
  json.StartObject();
  json.Key("name");
  put(json, facts.name);
  json.Key("dtype");
  put(json, facts.dtype);
  json.Key("shape");
  json.StartArray();
  for (const int64_t axis : facts.shape) json.Int64(axis);
  json.EndArray();
  json.Key("non_finite");
  json.Int64(facts.non_finite);
  const std::pair<const char*, double> figures[] = {
      {"min", facts.least}, {"max", facts.greatest}, {"mean", facts.mean}};
  for (const auto& [key, value] : figures) {
    json.Key(key);
    json.Double(value);
  }
  json.EndObject();
}

}  // namespace

bool is_checkpoint_name(const std::string& path) {
  for (const char* ending : {".safetensors", ".pth", ".pt", ".pkl", ".pyth"}) {
    if (path.ends_with(ending)) return true;
  }
  return false;
}

CheckpointReport inspect_checkpoint(const std::string& path) {
  CheckpointReport report;
  report.path = path;
  if (path.ends_with(".safetensors")) {
    const SafetensorsFile file(path);
    report.format = "safetensors";
    report.metadata = file.metadata();
    for (const auto& [name, entry] : file.entries()) add(report, name, file.read(name));
    return report;
  }
  const WeightsFile file = read_weights(path);
  report.format = file.format;
  report.metadata = file.metadata;
  if (!file.author.empty()) report.metadata["__author__"] = file.author;
  for (const auto& [name, tensor] : file.tensors) add(report, name, tensor);
  return report;
}

void print_checkpoint(const CheckpointReport& report, std::ostream& out) {
  size_t name_width = 0, shape_width = 0;
  std::map<std::string, int64_t> dtypes;
  for (const TensorFacts& facts : report.tensors) {
    name_width = std::max(name_width, facts.name.size());
    shape_width = std::max(shape_width, shape_text(facts.shape).size());
    ++dtypes[facts.dtype];
  }
  out << std::left;
  for (const TensorFacts& facts : report.tensors) {
    out << std::setw(int(name_width)) << facts.name << "  " << std::setw(5) << facts.dtype
        << std::setw(int(shape_width)) << shape_text(facts.shape);
    if (facts.elements > 0) {
      out << "  min " << std::setw(10) << rounded(facts.least) << "  max " << std::setw(10) << rounded(facts.greatest)
          << "  mean " << rounded(facts.mean);
    }
    out << (facts.constant ? "  (constant)" : "") << "\n";
  }
  for (const auto& [key, value] : report.metadata) out << "metadata  " << key << " = " << value << "\n";
  for (const std::string& problem : report.problems) out << "problem   " << problem << "\n";
  out << report.path << ": " << report.format << ", " << report.tensors.size() << " tensors, " << report.elements
      << " values, " << mib(report.bytes) << " (";
  for (auto dtype = dtypes.begin(); dtype != dtypes.end(); ++dtype) {
    out << (dtype == dtypes.begin() ? "" : ", ") << dtype->second << " " << dtype->first;
  }
  out << "), " << report.problems.size() << " problems\n";
}

std::string checkpoint_json(const CheckpointReport& report) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> json(buffer);
  json.SetIndent(' ', 1);
  json.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  json.StartObject();
  json.Key("file");
  put(json, report.path);
  json.Key("format");
  put(json, report.format);
  json.Key("values");
  json.Int64(report.elements);
  json.Key("bytes");
  json.Int64(report.bytes);
  json.Key("metadata");
  json.StartObject();
  for (const auto& [key, value] : report.metadata) {
    put(json, key);
    put(json, value);
  }
  json.EndObject();
  json.Key("problems");
  json.StartArray();
  for (const std::string& problem : report.problems) put(json, problem);
  json.EndArray();
  json.Key("tensors");
  json.StartArray();
  for (const TensorFacts& facts : report.tensors) put(json, facts);
  json.EndArray();
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace tailseg
