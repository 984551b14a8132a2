// What surrounds the sections: style, script, marks of the runs.
#pragma once

#include <string>

#include "apps/report/report_data.h"

namespace tailseg {

std::string page_head(const std::string& title, size_t runs);  // doctype to <body>
std::string page_marks();                                      // the marks that class charts use, once a page
std::string page_legend(const ReportData& data);               // runs and groups, each with a box that hides it
std::string page_script(const ReportData& data);               // data for the hover texts, and the script

}  // namespace tailseg
