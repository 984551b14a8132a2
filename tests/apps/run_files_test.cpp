// What a run writes: log lines on a pipe and on a pseudo-terminal, the step line, metrics.jsonl across a resume,
// TensorBoard records read back by a small independent decoder, checksums against RFC 3720's vectors.
#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "apps/number_text.h"
#include "apps/run_files/crc32c.h"
#include "apps/run_files/environment.h"
#include "apps/run_files/metrics_file.h"
#include "apps/run_files/run_log.h"
#include "apps/run_files/step_meter.h"
#include "apps/run_files/tensorboard.h"
#include "tensor/error.h"

using namespace tailseg;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tailseg_run_XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What is waiting to be read; the descriptor must not block.
std::string drain(int descriptor) {
  ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
  std::string all;
  char part[4096];
  for (ssize_t count; (count = ::read(descriptor, part, sizeof part)) > 0;) all.append(part, size_t(count));
  return all;
}

StepFigures step(int64_t iteration, double seconds, double loss) {
  StepFigures figures;
  figures.iteration = iteration;
  figures.seconds = seconds;
  figures.data_seconds = 0.0033;
  figures.learning_rate = 0.003796;
  figures.losses = {{"total_loss", loss}, {"loss_cls", loss / 2}};
  return figures;
}

}  // namespace

TEST_CASE("in a pipe: plain lines, no progress, no colour; the same in log.txt") {
  const Folder folder;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  {
    RunLog log(folder / "log.txt", Terminal::of(ends[1]));
    log.line("train", "one");
    log.progress("invisible");
    log.line("evaluate", "two\nthree");
  }
  const std::string shown = drain(ends[0]);
  CHECK(shown == contents(folder / "log.txt"));
  REQUIRE(shown.size() > 24);
  // [11/21 05:42:54 train] one
  CHECK(shown[0] == '[');
  CHECK(shown[3] == '/');
  CHECK(shown.substr(15, 11) == " train] one");
  CHECK_THAT(shown, Catch::EndsWith(" evaluate] two\nthree\n"));
  RunLog again(folder / "log.txt", Terminal::of(ends[1]));
  again.line("train", "appended");
  CHECK_THAT(contents(folder / "log.txt"), Catch::StartsWith(shown) && Catch::EndsWith("appended\n"));
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK_THROWS_WITH(RunLog(folder / "no/log.txt"), Catch::Contains("no/log.txt"));
}

TEST_CASE("on a terminal: the progress line is rewritten below the log, cut to the width; NO_COLOR is honoured") {
  int master = -1, slave = -1;
  winsize size{24, 20, 0, 0};
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, &size) == 0);
  ::setenv("TERM", "xterm", 1);
  ::setenv("NO_COLOR", "1", 1);
  CHECK_FALSE(Terminal::of(slave).colour);
  {
    RunLog log("", Terminal::of(slave));
    log.progress("progress that is far too long");
    log.line("train", "one");
  }
  const std::string plain = drain(master);
  CHECK_THAT(plain, Catch::StartsWith("\r\x1b[Kprogress that is fa\r\x1b[K["));
  CHECK_THAT(plain, Catch::Contains(" train] one\r\nprogress that is fa"));
  CHECK_THAT(plain, Catch::EndsWith("\r\x1b[K"));
  ::unsetenv("NO_COLOR");
  CHECK(Terminal::of(slave).colour);
  ::setenv("TERM", "dumb", 1);
  CHECK_FALSE(Terminal::of(slave).interactive);
  ::setenv("TERM", "xterm", 1);
  {
    RunLog log("", Terminal::of(slave));
    log.line("train", "green");
  }
  CHECK_THAT(drain(master), Catch::StartsWith("\x1b[32m[") && Catch::Contains(" train]\x1b[0m green"));
  ::close(slave);
  ::close(master);
}

TEST_CASE("the step line has detectron2's keys in detectron2's order and form") {
  StepMeter meter(40);
  CHECK(meter.log_line() == "no step yet");
  for (int64_t i = 0; i < 20; ++i) meter.add(step(i, 0.2293, 2.133));
  StepFigures last = step(19, 0.2293, 2.133);
  last.gradient_norm = 1.42;
  last.memory_mib = 3782.2;
  meter.add(last);
  // 20 steps left of 0.2293 s: 4.6 s.
  CHECK(meter.log_line() ==
        "eta: 0:00:04  iter: 19  total_loss: 2.133  loss_cls: 1.067  time: 0.2293  data_time: 0.0033  lr: 0.003796  "
        "max_mem: 3782M  grad_norm: 1.42");
  const auto metrics = meter.metrics();
  CHECK(metrics.at("iteration") == 19);
  CHECK(metrics.at("total_loss") == 2.133);
  CHECK(metrics.at("eta_seconds") == Approx(4.586));
  CHECK_THAT(meter.progress_line(),
             Catch::Contains("[==========>         ] 20/40  4.36 it/s  eta 0:00:04  loss 2.133"));
}

TEST_CASE("medians forget after 20 steps; what was not measured is a dash, never nan") {
  StepMeter meter(1000);
  for (int64_t i = 0; i < 30; ++i) {
    StepFigures figures = step(i, i == 3 ? 60.0 : 0.5, double(i));
    if (i > 0) figures.losses.resize(1);  // loss_cls was read back once only
    meter.add(figures);
  }
  CHECK_THAT(meter.log_line(), Catch::Contains("total_loss: 19.5  loss_cls: -  "));
  CHECK(meter.metrics().count("loss_cls") == 0);
  CHECK(*meter.eta_seconds() == Approx(0.5 * 970));  // the slow step does not count
  StepFigures bad = step(30, 0.5, std::nan(""));
  StepMeter fresh(100);
  fresh.add(bad);
  CHECK_THAT(fresh.log_line(), Catch::Contains("total_loss: -") && !Catch::Contains("nan"));
}

TEST_CASE("durations as Python prints them") {
  CHECK(duration_text(7.9) == "0:00:07");
  CHECK(duration_text(3723) == "1:02:03");
  CHECK(duration_text(86400) == "1 day, 0:00:00");
  CHECK(duration_text(200000) == "2 days, 7:33:20");
  CHECK(duration_text(-1) == "0:00:00");
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 3, 2}) == 2.5);
}

TEST_CASE("metrics.jsonl: sorted keys, shortest numbers, null for what is not finite; a resume drops what it repeats") {
  const Folder folder;
  const std::string path = folder / "metrics.jsonl";
  {
    MetricsFile file(path, -1);
    file.write({{"iteration", 19}, {"total_loss", 0.1}, {"lr", 1e-5}, {"bad", std::nan("")}});
    file.write({{"iteration", 39}, {"segm/AP\"", 12.5}});
  }
  const std::string first = "{\"bad\":null,\"iteration\":19,\"lr\":1e-05,\"total_loss\":0.1}\n";
  const std::string second = "{\"iteration\":39,\"segm/AP\\\"\":12.5}\n";
  CHECK(contents(path) == first + second);
  std::ofstream(path, std::ios::app) << "{\"iteration\":59,\"to";  // killed while writing
  {
    MetricsFile file(path, 39);
    file.write({{"iteration", 59}});
  }
  CHECK(contents(path) == first + second + "{\"iteration\":59}\n");
  { MetricsFile file(path, 20); }
  CHECK(contents(path) == first);
  { MetricsFile file(path, -1); }
  CHECK(contents(path).empty());
  CHECK_THROWS_AS(MetricsFile(folder / "no/metrics.jsonl", -1), Error);
}

TEST_CASE("CRC-32C: RFC 3720's vectors and the mask") {
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
  std::string rising;
  for (char i = 0; i < 32; ++i) rising += i;
  CHECK(crc32c(rising) == 0x46dd794eu);
  // ((c >> 15) | (c << 17)) + a282ead8 for c = e3069283, by hand: c>>15 = 1c60d, c<<17 = 25060000.
  CHECK(masked_crc32c("123456789") == 0x2507c60du + 0xa282ead8u);
}

namespace {

uint64_t number(const std::string& bytes, size_t at, size_t count) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, count);
  return value;
}

std::vector<std::string> records(const std::string& file) {
  std::vector<std::string> all;
  for (size_t at = 0; at < file.size();) {
    const uint64_t length = number(file, at, 8);
    CHECK(number(file, at + 8, 4) == masked_crc32c(file.substr(at, 8)));
    all.push_back(file.substr(at + 12, length));
    CHECK(number(file, at + 12 + length, 4) == masked_crc32c(all.back()));
    at += length + 16;
  }
  return all;
}

}  // namespace

TEST_CASE("TensorBoard's file: version, session start, scalars and an image, byte by byte") {
  const Folder folder;
  std::string path;
  {
    EventsFile events(folder.path.string(), 300);
    path = events.path();
    events.scalars(300, {{"lr", 1.5}});
    events.image(301, "m", 2, 1, std::vector<uint8_t>{'P', 'N', 'G'});
    events.scalars(302, {});
  }
  CHECK_THAT(fs::path(path).filename().string(), Catch::StartsWith("events.out.tfevents."));
  const auto all = records(contents(path));
  REQUIRE(all.size() == 4);
  // Each event: 09 <8 bytes of time> 10 <step as varint> <rest>.
  CHECK(all[0][0] == '\x09');
  double time = 0;
  std::memcpy(&time, all[0].data() + 1, 8);
  CHECK(time > 1.6e9);
  CHECK(all[0].substr(9) ==
        "\x10\x00\x1a\x0d"s
        "brain.Event:2");
  CHECK(all[1].substr(9) == "\x10\xac\x02\x3a\x02\x08\x01"s);
  CHECK(all[2].substr(9) == "\x10\xac\x02\x2a\x0b\x0a\x09\x0a\x02lr\x15\x00\x00\xc0\x3f"s);
  CHECK(all[3].substr(9) == "\x10\xad\x02\x2a\x12\x0a\x10\x0a\x01m\x22\x0b\x08\x01\x10\x02\x18\x03\x22\x03PNG"s);
  CHECK_THROWS_WITH(EventsFile(folder / "none", 0), Catch::Contains("TensorBoard"));
}

TEST_CASE("the environment names compiler, processor and what the caller adds; numbers print shortest") {
  const EnvironmentReport report = environment_report({{"device", "cpu \"x\""}});
  CHECK(report.front().first == "tailseg");
  CHECK_THAT(environment_table(report),
             Catch::Contains("compiler") && Catch::Contains("device") && Catch::Contains("cpu \"x\""));
  CHECK_THAT(environment_json(report), Catch::Contains("\"device\": \"cpu \\\"x\\\"\"") && Catch::EndsWith("}\n"));
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(19) == "19");
  CHECK(number_text(0.30000000000000004) == "0.30000000000000004");
}
