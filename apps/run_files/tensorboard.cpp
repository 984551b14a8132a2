#include "apps/run_files/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "apps/run_files/crc32c.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

// Wire types of protocol buffers.
enum Wire : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <class Number>
std::string little_endian(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += char(value | 0x80);
  return bytes += char(value);
}

std::string key(uint64_t field, Wire wire) { return varint(field << 3 | wire); }

std::string bytes_field(uint64_t field, std::string_view bytes) {
  return key(field, kBytes) + varint(bytes.size()) + std::string(bytes);
}

std::string int_field(uint64_t field, int64_t value) { return key(field, kVarint) + varint(uint64_t(value)); }

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string event_record(std::string_view data) {
  const std::string length = little_endian(uint64_t(data.size()));
  return length + little_endian(masked_crc32c(length)) + std::string(data) + little_endian(masked_crc32c(data));
}

EventsFile::EventsFile(const std::string& folder, int64_t first_step) {
  char host[256] = "host";
  ::gethostname(host, sizeof host - 1);
  path_ = text(folder, "/events.out.tfevents.", int64_t(wall_time()), ".", host, ".", ::getpid());
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  TS_CHECK(descriptor_ >= 0, "making the TensorBoard file ", path_, ": ", std::strerror(errno));
  write_event(0, bytes_field(3, "brain.Event:2"));
  if (first_step > 0) write_event(first_step, bytes_field(7, int_field(1, 1)));  // SessionLog.status = START
}

EventsFile::~EventsFile() { ::close(descriptor_); }

void EventsFile::write_event(int64_t step, std::string_view fields) {
  const std::string event = key(1, kFixed64) + little_endian(wall_time()) + int_field(2, step) + std::string(fields);
  const std::string record = event_record(event);
  size_t done = 0;
  while (done < record.size()) {
    const ssize_t count = ::write(descriptor_, record.data() + done, record.size() - done);
    if (count < 0 && errno == EINTR) continue;
    TS_CHECK(count > 0, "writing ", path_, ": ", std::strerror(errno));
    done += size_t(count);
  }
}

void EventsFile::scalars(int64_t step, const std::map<std::string, double>& values) {
  std::string summary;
  for (const auto& [tag, value] : values) {
    summary += bytes_field(1, bytes_field(1, tag) + key(2, kFixed32) + little_endian(float(value)));
  }
  if (!summary.empty()) write_event(step, bytes_field(5, summary));
}

void EventsFile::image(int64_t step, const std::string& tag, int64_t width, int64_t height,
                       std::span<const uint8_t> png) {
  const std::string_view bytes(reinterpret_cast<const char*>(png.data()), png.size());
  constexpr int64_t kRgb = 3;  // Summary.Image.colorspace
  const std::string image = int_field(1, height) + int_field(2, width) + int_field(3, kRgb) + bytes_field(4, bytes);
  write_event(step, bytes_field(5, bytes_field(1, bytes_field(1, tag) + bytes_field(4, image))));
}

}  // namespace tailseg
