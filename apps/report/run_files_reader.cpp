#include "apps/report/run_files_reader.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/config/config_value.h"
#include "datasets/json/mapped_text.h"
#include "nn/safetensors.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

using rapidjson::Value;

constexpr size_t kMostBytes = 256u << 20;  // a metrics.json of 1203 classes has 0.5 MB
constexpr unsigned kStrict = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

std::string_view readable(const MappedText& file, const std::string& path) {
  TS_CHECK(file.text().size() <= kMostBytes, path, ": ", file.text().size(), " bytes; figures of a run have at most ",
           kMostBytes);
  return file.text();
}

rapidjson::Document parse_object(std::string_view text, const std::string& where) {
  rapidjson::Document document;
  document.Parse<kStrict>(text.data(), text.size());
  TS_CHECK(!document.HasParseError(), where, ": malformed JSON at byte ", document.GetErrorOffset(), ": ",
           rapidjson::GetParseError_En(document.GetParseError()));
  TS_CHECK(document.IsObject(), where, ": expected a JSON object of figures");
  return document;
}

std::string text_of(const Value& value) { return {value.GetString(), value.GetStringLength()}; }

const Value* member(const Value& object, const char* name) {
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? nullptr : &found->value;
}

double number_in(const Value& value, const std::string& where) {
  TS_CHECK(value.IsNumber(), where, ": expected a number");
  return value.GetDouble();
}

int64_t id_in(const std::string& key, const std::string& where) {
  int64_t id = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  TS_CHECK(error == std::errc() && end == key.data() + key.size() && !key.empty(), where, ": '", key,
           "' is not the id of a category");
  return id;
}

// Classes by id while a file is read.
using ClassMap = std::map<int64_t, ReportClass>;

ReportClass& class_entry(ClassMap& classes, const std::string& key, const Value& value, const std::string& where) {
  TS_CHECK(value.IsObject(), where, "['", key, "']: expected an object");
  const int64_t id = id_in(key, where);
  const Value* name = member(value, "name");
  TS_CHECK(name && name->IsString(), where, "['", key, "']: has no name");
  ReportClass& entry = classes[id];
  TS_CHECK(entry.name.empty() || entry.name == text_of(*name), where, "['", key, "']: the category has two names, '",
           entry.name, "' and '", text_of(*name), "'");
  entry.id = id;
  entry.name = text_of(*name);
  return entry;
}

void read_type(const std::string& path, const std::string& type, const Value& object, ReportRun& run,
               ClassMap& classes) {
  for (const auto& [key, value] : object.GetObject()) {
    const std::string name = text_of(key), where = path + ": " + type + "." + name;
    if (name != "per_category") {
      const double figure = number_in(value, where);
      if (figure >= 0) run.figures[type][name] = figure;
      continue;
    }
    TS_CHECK(value.IsObject(), where, ": expected an object");
    for (const auto& [id, figures] : value.GetObject()) {
      ReportClass& entry = class_entry(classes, text_of(id), figures, where);
      for (const char* wanted : {"AP", "AP50"}) {
        const Value* ap = member(figures, wanted);
        if (!ap) continue;
        const double number = number_in(*ap, where + "['" + text_of(id) + "']." + wanted);
        if (number >= 0) (wanted == std::string("AP") ? entry.ap : entry.ap50)[type] = number;
      }
    }
  }
}

void read_categories(const std::string& where, const Value& object, ClassMap& classes) {
  for (const auto& [id, facts] : object.GetObject()) {
    ReportClass& entry = class_entry(classes, text_of(id), facts, where);
    const std::string at = where + "['" + text_of(id) + "'].";
    if (const Value* letter = member(facts, "frequency")) {
      TS_CHECK(letter->IsString() && letter->GetStringLength() == 1 &&
                   std::string_view("rcf").find(letter->GetString()[0]) != std::string_view::npos,
               at, "frequency: expected \"r\", \"c\" or \"f\"");
      entry.frequency = letter->GetString()[0];
    }
    const auto number = [&](const char* name) -> std::optional<double> {
      const Value* value = member(facts, name);
      return value ? std::optional<double>(number_in(*value, at + name)) : std::nullopt;
    };
    if (const auto count = number("train_instances")) {
      TS_CHECK(*count >= 0 && *count < 1e18, at, "train_instances: ", *count, " instances");
      entry.train_instances = static_cast<int64_t>(*count);
    }
    entry.weight_norm = number("weight_norm");
    entry.accuracy = number("accuracy");
    entry.matched_proposals = static_cast<int64_t>(std::clamp(number("matched_proposals").value_or(0), 0.0, 1e18));
  }
}

std::vector<std::vector<double>> matrix(const SafetensorsFile& file, const std::string& name, size_t rows) {
  const HostTensor tensor = file.read(name);
  const std::string what = file.path() + ": " + name;
  TS_CHECK(tensor.shape.size() == 2 && tensor.shape[0] == static_cast<int64_t>(rows) && tensor.shape[1] > 0, what,
           ": shape ", shape_text(tensor.shape), ", expected [", rows, ", classes]");
  const std::vector<float> values = host_to_float32(tensor, what);
  const auto columns = static_cast<size_t>(tensor.shape[1]);
  std::vector<std::vector<double>> out(rows);
  for (size_t row = 0; row < rows; ++row) {
    out[row].assign(values.begin() + static_cast<std::ptrdiff_t>(row * columns),
                    values.begin() + static_cast<std::ptrdiff_t>((row + 1) * columns));
  }
  return out;
}

}  // namespace

void read_metrics(const std::string& path, ReportRun& run) {
  const MappedText file(path);
  const rapidjson::Document document = parse_object(readable(file, path), path);
  ClassMap classes;
  for (const auto& [key, value] : document.GetObject()) {
    const std::string name = text_of(key);
    if (name == "protocol") {
      TS_CHECK(value.IsString(), path, ": protocol: expected a text");
      run.protocol = text_of(value);
      continue;
    }
    TS_CHECK(value.IsObject(), path, ": ", name, ": expected an object of figures");
    if (name == "categories") {
      read_categories(path + ": categories", value, classes);
    } else {
      read_type(path, name, value, run, classes);
    }
  }
  for (auto& [id, entry] : classes) run.classes.push_back(std::move(entry));
  run.has_metrics = true;
}

void read_series(const std::string& path, ReportRun& run) {
  const MappedText file(path);
  const std::string_view all = readable(file, path);
  std::map<std::string, std::map<double, double>> series;
  size_t line = 1;
  for (size_t begin = 0; begin < all.size(); ++line) {
    const size_t end = all.find('\n', begin);
    if (end == std::string_view::npos) break;  // being written
    const std::string where = path + ":" + std::to_string(line);
    const rapidjson::Document object = parse_object(all.substr(begin, end - begin), where);
    begin = end + 1;
    const Value* iteration = member(object, "iteration");
    if (!iteration) continue;
    const double at = number_in(*iteration, where + ": iteration");
    for (const auto& [key, value] : object.GetObject()) {
      if (value.IsNull() || text_of(key) == "iteration") continue;  // null: was not finite
      series[text_of(key)][at] = number_in(value, where + ": " + text_of(key));
    }
  }
  for (auto& [name, points] : series) run.series[name].assign(points.begin(), points.end());
  run.has_series = true;
}

void read_settings(const std::string& path, ReportRun& run) {
  const MappedText file(path);
  for (const ConfigEntry& entry : parse_toml(std::string(readable(file, path)), path)) {
    run.settings[entry.key] = toml_text(entry.value);
  }
  run.has_settings = true;
}

void read_gradients(const std::string& path, ReportRun& run) {
  const SafetensorsFile file(path);
  const HostTensor steps = file.read("iterations");
  TS_CHECK(steps.shape.size() == 1 && steps.dtype == "I64", path, ": iterations: expected a list of I64, got ",
           steps.dtype, " ", shape_text(steps.shape));
  ReportGradients out;
  out.iterations.resize(static_cast<size_t>(steps.shape[0]));
  std::copy_n(steps.bytes.data(), steps.bytes.size(), reinterpret_cast<std::byte*>(out.iterations.data()));
  TS_CHECK(std::is_sorted(out.iterations.begin(), out.iterations.end()), path, ": iterations do not rise");
  out.positives = matrix(file, "positive", out.iterations.size());
  out.negatives = matrix(file, "negative", out.iterations.size());
  for (size_t t = 0; t < out.iterations.size(); ++t) {
    TS_CHECK(out.positives[t].size() == out.negatives[t].size(), path, ": positive has ", out.positives[t].size(),
             " classes, negative ", out.negatives[t].size());
  }
  run.gradients = std::move(out);
}

}  // namespace tailseg
