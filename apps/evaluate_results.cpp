#include "apps/evaluate_results.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <sstream>

#include "apps/command_line.h"
#include "apps/output_folder.h"
#include "datasets/evaluation/proposal_recall.h"
#include "nn/atomic_file.h"
#include "tensor/error.h"

namespace tailseg {

namespace {

const char* type_name(IouType type) { return type == IouType::kBox ? "bbox" : "segm"; }

// Without --type: what the results have; an empty list is evaluated as everything that the annotations can judge.
std::vector<IouType> types_present(const AnnotationSet& set, const Detections& detections) {
  const bool empty = detections.size() == 0;
  const bool masks = set.annotations.polygons.size() > 0 || set.annotations.rle.size() > 0;
  std::vector<IouType> types;
  if (empty || detections.any_box()) types.push_back(IouType::kBox);
  if (empty ? masks : detections.any_mask()) types.push_back(IouType::kMask);
  return types;
}

std::vector<int64_t> count_instances(const AnnotationSet& set, const std::string& train_path) {
  const AnnotationSet train = read_annotations(train_path);
  std::vector<int64_t> counts(set.categories.size(), -1);
  for (const Category& category : train.categories) {
    const int32_t label = set.label_of(category.id);
    if (label >= 0) counts[label] = 0;
  }
  for (const int32_t train_label : train.annotations.label) {
    const int32_t label = set.label_of(train.categories[train_label].id);
    if (label >= 0) ++counts[label];
  }
  return counts;
}

using Json = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void begin_category(Json& json, const Category& category) {
  json.Key(std::to_string(category.id).c_str());
  json.StartObject();
  json.Key("name");
  json.String(category.name.c_str());
}

void write_per_category(Json& json, const AnnotationSet& set, const std::vector<CategoryResult>& categories) {
  json.Key("per_category");
  json.StartObject();
  for (size_t label = 0; label < categories.size(); ++label) {
    const CategoryResult& category = categories[label];
    if (category.instances[0] == 0) continue;
    begin_category(json, set.categories[label]);
    json.Key("AP");
    json.Double(category.mean_ap());
    json.Key("AP50");
    json.Double(category.ap50());
    json.Key("instances");
    json.Int64(category.instances[0]);
    json.EndObject();
  }
  json.EndObject();
}

void write_categories(Json& json, const AnnotationSet& set, const ClassFacts& facts) {
  json.Key("categories");
  json.StartObject();
  for (size_t label = 0; label < set.categories.size(); ++label) {
    begin_category(json, set.categories[label]);
    if (const char letter = set.categories[label].frequency) {
      json.Key("frequency");
      json.String(&letter, 1);
    }
    const auto count = [&](const char* name, const std::vector<int64_t>& values) {
      if (values.empty() || values.at(label) < 0) return;
      json.Key(name);
      json.Int64(values[label]);
    };
    const auto number = [&](const char* name, const std::vector<double>& values) {
      if (values.empty() || !(values.at(label) >= 0)) return;
      json.Key(name);
      json.Double(values[label]);
    };
    count("train_instances", facts.train_instances);
    number("weight_norm", facts.weight_norm);
    number("gradient_ratio", facts.gradient_ratio);
    number("accuracy", facts.accuracy);
    count("matched_proposals", facts.matched_proposals);
    json.EndObject();
  }
  json.EndObject();
}

std::string percent(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.4f", value < 0 ? -1. : 100 * value);
  return digits;
}

void note_oddities(const AnnotationSet& set, const Detections& detections, std::ostream& log) {
  if (!set.problems.empty()) {
    log << "note: " << set.path << " has " << set.problems.size() << " dubious entries (see tailseg-inspect)\n";
  }
  if (detections.unknown_category > 0) {
    log << "warning: " << detections.unknown_category << " of " << detections.size() << " results name a category that "
        << set.path << " does not have; they are dropped\n";
  }
}

}  // namespace

std::vector<TypeFigures> evaluate_types(const AnnotationSet& set, const Detections& detections,
                                        const std::vector<IouType>& types, EvaluationOptions options) {
  std::vector<TypeFigures> out;
  for (const IouType type : types) {
    options.iou = type;
    Evaluation evaluation = evaluate(set, detections, options);
    out.push_back({type_name(type), std::move(evaluation.figures), std::move(evaluation.categories)});
  }
  return out;
}

std::vector<TypeFigures> evaluate_analysis(const AnnotationSet& set, const ModelAnalysis& analysis,
                                           const EvaluationOptions& options) {
  std::vector<TypeFigures> out{{"proposals", proposal_recall(set, analysis.proposals, {}), {}}};
  std::vector<IouType> types{IouType::kBox};
  if (types_present(set, {}).size() > 1) types.push_back(IouType::kMask);
  for (TypeFigures& type : evaluate_types(set, analysis.true_labels, types, options)) {
    out.push_back({"true_labels/" + type.type, std::move(type.figures), std::move(type.categories)});
  }
  return out;
}

std::vector<int64_t> instance_counts(const AnnotationSet& set) {
  std::vector<int64_t> counts;
  for (const Category& category : set.categories) counts.push_back(category.instance_count);
  return counts;
}

std::string metrics_json(const AnnotationSet& set, const std::string& protocol, const std::vector<TypeFigures>& types,
                         const ClassFacts& facts) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.SetIndent(' ', 1);
  json.StartObject();
  json.Key("protocol");
  json.String(protocol.c_str());
  for (const TypeFigures& type : types) {
    json.Key(type.type.c_str());
    json.StartObject();
    for (const Figure& figure : type.figures) {
      json.Key(figure.name.c_str());
      json.Double(figure.value);
    }
    if (!type.categories.empty()) write_per_category(json, set, type.categories);
    json.EndObject();
  }
  write_categories(json, set, facts);
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

void prepare_evaluation(const EvaluateResultsOptions& options) {
  if (options.bins.size() != 3 || !std::is_sorted(options.bins.begin(), options.bins.end())) {
    throw UsageError("--bins takes three ascending numbers");
  }
  if (!options.output.empty()) make_output_folder(options.output);
}

std::string write_metrics(const std::string& folder, const std::string& json) {
  make_output_folder(folder);
  const std::string path = folder + "/metrics.json";
  write_file_atomically(path, json);
  return path;
}

void print_figures(const TypeFigures& type, std::ostream& out) {
  std::string rest, names, values;
  char digits[32];
  for (const Figure& figure : type.figures) {
    std::snprintf(digits, sizeof digits, "%.3f", figure.value);
    if (!figure.caption.empty()) {
      out << figure.caption << " = " << digits << "\n";
    } else {
      rest.append("  ").append(figure.name).append(" ").append(digits);
    }
    names.append(names.empty() ? "" : ",").append(figure.name);
    values.append(values.empty() ? "" : ",").append(percent(figure.value));
  }
  if (!rest.empty()) out << rest << "\n";
  out << "copypaste: Task: " << type.type << "\ncopypaste: " << names << "\ncopypaste: " << values << "\n";
}

void evaluate_detections(const AnnotationSet& set, const Detections& detections, const EvaluateResultsOptions& options,
                         std::ostream& out, std::ostream& log, const ModelAnalysis* analysis) {
  const std::string protocol = options.protocol.empty() ? (set.lvis ? "lvis" : "coco") : options.protocol;
  EvaluationOptions evaluation;
  evaluation.protocol = protocol == "lvis" ? Protocol::kLvis : Protocol::kCoco;
  evaluation.always_mask_area = options.always_mask_area;
  evaluation.threads = options.threads;
  std::copy_n(options.bins.begin(), 3, evaluation.bins.begin());
  if (!options.train_annotations.empty()) {
    evaluation.train_instances = count_instances(set, options.train_annotations);
  }
  std::vector<TypeFigures> types;
  if (options.type == "proposals") {
    ProposalRecallOptions recall;
    recall.skip_images_without_proposals = options.skip_images_without_proposals;
    types.push_back({"proposals", proposal_recall(set, detections, recall), {}});
  } else {
    std::vector<IouType> wanted = types_present(set, detections);
    if (options.type == "bbox") wanted = {IouType::kBox};
    if (options.type == "segm") wanted = {IouType::kMask};
    types = evaluate_types(set, detections, wanted, evaluation);
  }
  ClassFacts facts;
  if (analysis) {
    facts = analysis->facts;
    for (TypeFigures& type : evaluate_analysis(set, *analysis, evaluation)) types.push_back(std::move(type));
  }
  facts.train_instances = evaluation.train_instances.empty() ? instance_counts(set) : evaluation.train_instances;
  const std::string json = metrics_json(set, protocol, types, facts);
  std::ostringstream table;
  for (const TypeFigures& type : types) {
    table << type.type << " (" << protocol << " protocol, " << detections.size() << " results)\n";
    print_figures(type, table);
  }
  out << (options.json ? json : table.str());
  if (options.output.empty()) return;
  const std::string written = write_metrics(options.output, json);
  log << "written: " << written << "\n";
  write_file_atomically(options.output + "/table.txt", table.str());
}

void evaluate_results(const EvaluateResultsOptions& options, std::ostream& out, std::ostream& log) {
  prepare_evaluation(options);
  const AnnotationSet set = read_annotations(options.annotations);
  const bool lvis = options.protocol.empty() ? set.lvis : options.protocol == "lvis";
  const bool filter = lvis && options.type != "proposals";
  const FederatedLabels federated = filter ? FederatedLabels(set) : FederatedLabels(AnnotationSet{});
  const Detections detections = read_results(options.results, set, filter ? &federated : nullptr);
  note_oddities(set, detections, log);
  evaluate_detections(set, detections, options, out, log);
}

}  // namespace tailseg
