// The parts of a report, in the order of the page. Each is HTML that begins with its heading; what a run lacks is told
// in one line, and a part that no run can fill is that line alone.
#pragma once

#include "apps/report/report_data.h"

namespace tailseg {

std::string ap_by_instances_section(const ReportData& data);  // section_classes.cpp
std::string ap_change_section(const ReportData& data);
std::string histogram_section(const ReportData& data);
std::string class_table_section(const ReportData& data);
std::string summary_section(const ReportData& data);    // section_summary.cpp
std::string settings_section(const ReportData& data);   // what the runs' settings differ in
std::string training_section(const ReportData& data);   // section_training.cpp
std::string analysis_section(const ReportData& data);   // section_analysis.cpp; ends with the gradients
std::string gradients_section(const ReportData& data);  // section_gradients.cpp

}  // namespace tailseg
