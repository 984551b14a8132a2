// tailseg-report: what runs gave, as one page to open in a browser.
#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/command_line.h"
#include "apps/report/report.h"

int main(int argc, char** argv) {
  CLI::App app(
      "One self-contained HTML page for one run or several side by side: AP against training instances, figures, "
      "curves, "
      "every class, and the analysis where a run has it.",
      "tailseg-report");
  std::vector<std::string> runs;
  std::string output = "report.html";
  app.add_option("RUN", runs, "folders of runs (tailseg-train --output) or of evaluations (tailseg-evaluate --output)")
      ->required();
  app.add_option("--output", output, "the page")->capture_default_str();
  app.footer("Example:\n  tailseg-report runs/ce runs/seesaw --output seesaw_against_ce.html");
  return tailseg::run_program(app, argc, argv, [&] {
    tailseg::write_report(runs, output);
    std::cout << "written: " << output << "\n";
  });
}
