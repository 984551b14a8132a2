// tailseg-report: what runs gave, as one page to open in a browser.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

#include "apps/command_line.h"
#include "apps/grid/tables.h"
#include "apps/output_folder.h"
#include "apps/report/report.h"
#include "nn/atomic_file.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

// A page may replace a page; a run's log or anything else that somebody keeps is no place for one.
void check_page(const std::string& output) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(output, error) || std::filesystem::is_empty(output, error)) return;
  std::string begin(15, ' ');
  std::ifstream(output).read(begin.data(), 15);
  TS_CHECK(begin == "<!DOCTYPE html>" || begin == "<!doctype html>", "--output ", output,
           " is there already and no HTML page; give another name");
}

// The runs of a grid below `folder`: the table on the terminal, in `table` and, before everything else, in `output`.
void report_grid(const std::string& grid_file, const std::string& folder, const std::string& table,
                 const std::string& output) {
  AtomicFile page(output);  // first: a place that cannot be written is said before the work
  std::optional<AtomicFile> file;
  if (!table.empty()) file.emplace(table);
  const Grid grid = read_grid(grid_file);
  const std::vector<CellResult> results = read_results(grid, folder);
  std::vector<ReportRun> runs;
  for (const CellResult& result : results) {
    if (!result.seeds.empty()) runs.push_back(result.mean);
  }
  page.write(report_html(std::move(runs), grid_section(grid, results)));
  page.commit();
  if (file) {
    file->write(grid_json(results));
    file->commit();
    std::cout << "written: " << table << "\n";
  }
  std::cout << "written: " << output << "\n\n" << grid_text(grid, results);
}

}  // namespace
}  // namespace tailseg

int main(int argc, char** argv) {
  CLI::App app(
      "One self-contained HTML page for one run or several side by side: AP against training instances, figures, "
      "curves, every class, and the analysis where a run has it. With --grid the means over seeds of a grid of runs, "
      "beside the papers' figures.",
      "tailseg-report");
  std::vector<std::string> runs;
  std::string output = "report.html", grid, table;
  app.add_option("RUN", runs,
                 "folders of runs (tailseg-train --output) or of evaluations (tailseg-evaluate --output); with --grid "
                 "the one folder with the runs <cell>/seed<n>")
      ->required();
  app.add_option("--output", output, "the page")->capture_default_str();
  CLI::Option* grid_option = app.add_option("--grid", grid, "JSON file of cells, published figures and claims");
  app.add_option("--table", table, "write the grid's table to this JSON file")->needs(grid_option);
  app.footer(
      "Example:\n  tailseg-report runs/ce runs/seesaw --output seesaw_against_ce.html\n"
      "  tailseg-report --grid apps/configs/reproduce/grid.json --table table.json runs/reproduce/runs");
  return tailseg::run_program(app, argc, argv, [&] {
    tailseg::check_page(output);
    if (!table.empty()) tailseg::check_output_apart(table, grid, "--table");
    if (grid.empty()) {
      tailseg::write_report(runs, output);
      std::cout << "written: " << output << "\n";
      return;
    }
    if (runs.size() != 1) throw tailseg::UsageError("--grid takes one RUN, the folder in which its runs lie");
    tailseg::report_grid(grid, runs[0], table, output);
  });
}
