// TensorBoard's event file: events.out.tfevents.<time>.<host>.<process>, records of
//   u64 length | u32 masked CRC-32C of the length | data | u32 masked CRC-32C of the data
// where data is an Event in protocol buffers' wire format: 1 wall_time (double), 2 step (int64), then one of
// 3 file_version (string), 5 summary, 7 session_log. (tensorflow/core/util/event.proto, summary.proto)
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace tailseg {

class EventsFile {
 public:
  // Starts a new file in `folder`. first_step > 0, for a resumed run, makes TensorBoard drop what an earlier file shows
  // from that step on. Throws Error when the file cannot be made.
  EventsFile(const std::string& folder, int64_t first_step);
  ~EventsFile();
  EventsFile(const EventsFile&) = delete;
  EventsFile& operator=(const EventsFile&) = delete;

  void scalars(int64_t step, const std::map<std::string, double>& values);
  // `png`: the bytes of a PNG file of this size.
  void image(int64_t step, const std::string& tag, int64_t width, int64_t height, std::span<const uint8_t> png);

  const std::string& path() const { return path_; }

 private:
  void write_event(int64_t step, std::string_view fields);

  std::string path_;
  int descriptor_ = -1;
};

// One record as it lies in the file.
std::string event_record(std::string_view data);

}  // namespace tailseg
