// The files of a run, one function each, into a ReportRun. Errors name the file and what is wrong with it.
#pragma once

#include "apps/report/run_folder.h"

namespace tailseg {

void read_metrics(const std::string& path, ReportRun& run);    // metrics.json of an evaluation
void read_series(const std::string& path, ReportRun& run);     // metrics.jsonl of training
void read_settings(const std::string& path, ReportRun& run);   // config.toml
void read_gradients(const std::string& path, ReportRun& run);  // class_gradients.safetensors

}  // namespace tailseg
