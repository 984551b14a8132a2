#include "datasets/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "datasets/loader_plan.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

// A batch being filled. Slots are handed out in order; each is written by one thread.
struct Job {
  Batch batch;
  std::vector<std::exception_ptr> failures;  // [N]
  size_t next_slot = 0;                      // the first that no thread has taken yet
  size_t finished = 0;
};

}  // namespace

class Loader::Pipeline {
 public:
  Pipeline(const AnnotationSet& set, InputConfig input, LoaderConfig config, EpochOrder order, LoaderPosition start);
  bool next(Batch& batch);
  LoaderPosition position() const { return handed_out_; }
  int64_t batches_in_epoch(int64_t epoch) { return planner_.batches_in_epoch(epoch); }
  int64_t skipped() const { return skipped_; }
  std::vector<std::string> in_flight() const;

 private:
  void work(std::stop_token stop, size_t worker);
  void enqueue();
  std::unique_ptr<Job> make_job(LoaderPosition position);
  void fill_slot(Job& job, size_t slot, RowResizer& scratch) const;
  void load(Job& job, size_t slot, RowResizer& scratch) const;
  bool finish(Job& job, Batch& batch);
  void drop_slots(Batch& batch, const std::vector<bool>& bad) const;
  bool over(LoaderPosition position) const { return config_.epochs >= 0 && position.epoch >= config_.epochs; }

  const AnnotationSet& set_;
  const InputConfig input_;
  const LoaderConfig config_;
  BatchPlanner planner_;
  LoaderPosition handed_out_;  // of the batch that next() returns next
  LoaderPosition to_plan_;     // of the first batch that is not in the queue
  int64_t skipped_ = 0;
  std::vector<Batch> spare_;  // memory that came back
  RowResizer own_scratch_;    // workers = 0

  mutable std::mutex mutex_;  // guards the queue, its jobs' counters and held_
  std::condition_variable_any work_ready_;
  std::condition_variable slot_done_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::vector<int32_t> held_;          // [workers] the photo each one is busy with, -1 for none
  std::vector<std::jthread> workers_;  // last: joined before anything else goes
};

Loader::Pipeline::Pipeline(const AnnotationSet& set, InputConfig input, LoaderConfig config, EpochOrder order,
                           LoaderPosition start)
    : set_(set),
      input_(std::move(input)),
      config_(std::move(config)),
      planner_(set_, input_, std::move(order), config_.batch_size, config_.seed, config_.augment) {
  TS_CHECK(config_.workers >= 0 && config_.ahead >= 1, "loader: ", config_.workers, " workers, ", config_.ahead,
           " batches ahead; expected at least 0 and 1");
  TS_CHECK(start.epoch >= 0 && start.batch >= 0 && start.batch <= batches_in_epoch(start.epoch), "loader: position ",
           start.epoch, ':', start.batch, " does not exist; epoch ", start.epoch, " has ",
           batches_in_epoch(std::max<int64_t>(start.epoch, 0)), " batches");
  if (start.batch == batches_in_epoch(start.epoch)) start = {start.epoch + 1, 0};
  handed_out_ = to_plan_ = start;
  held_.assign(static_cast<size_t>(config_.workers), -1);
  for (size_t w = 0; w < held_.size(); ++w) {
    workers_.emplace_back([this, w](std::stop_token stop) { work(std::move(stop), w); });
  }
  if (config_.workers > 0) enqueue();
}

std::unique_ptr<Job> Loader::Pipeline::make_job(LoaderPosition position) {
  auto job = std::make_unique<Job>();
  if (!spare_.empty()) {
    job->batch = std::move(spare_.back());
    spare_.pop_back();
  }
  Batch& batch = job->batch;
  planner_.plan(position, batch);
  const auto values = static_cast<size_t>(batch.count() * batch.size.height * batch.size.width * 3);
  batch.pixels.resize(config_.decode_only ? 0 : values);
  batch.photos.resize(config_.decode_only ? batch.images.size() : 0);
  job->failures.resize(batch.images.size());
  return job;
}

// Plans batches until `ahead` of them are queued. Called by the consuming thread only.
void Loader::Pipeline::enqueue() {
  const auto wanted = static_cast<size_t>(config_.workers > 0 ? config_.ahead : 1);
  while (queue_.size() < wanted && !over(to_plan_)) {
    std::unique_ptr<Job> job = make_job(to_plan_);
    to_plan_ = planner_.after(to_plan_);
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    work_ready_.notify_all();
  }
}

void Loader::Pipeline::load(Job& job, size_t slot, RowResizer& scratch) const {
  Batch& batch = job.batch;
  BatchImage& image = batch.images[slot];
  const std::string& file = set_.images.file[image.index];
  TS_CHECK(!file.empty(), "the annotation file ", set_.path, " names no file for it (neither file_name nor coco_url)");
  const std::string path = config_.root.empty() ? file : config_.root + "/" + file;
  Image photo = read_image(path, input_.decode);
  const ImageSize expected = image.placement.original;
  const bool turned = photo.width == expected.height && photo.height == expected.width;
  TS_CHECK(photo.width == expected.width && photo.height == expected.height, "reading image ", path, ": it has ",
           photo.width, " x ", photo.height, " pixels, the annotation file says ", expected.width, " x ",
           expected.height, turned ? "; were the annotations made without regard to the EXIF orientation?" : "");
  if (config_.decode_only) {
    batch.photos[slot] = std::move(photo);
  } else {
    const auto area = static_cast<size_t>(batch.size.width * batch.size.height * 3);
    write_pixels(photo, image.placement, input_, batch.size, scratch, batch.pixels.data() + slot * area);
  }
  if (config_.targets) image.targets = make_targets(set_, image.index, image.placement, input_, config_.masks);
}

void Loader::Pipeline::fill_slot(Job& job, size_t slot, RowResizer& scratch) const {
  try {
    try {
      load(job, slot, scratch);
    } catch (const Error& error) {
      fail("image id ", job.batch.images[slot].image_id, ": ", error.what());
    }
  } catch (...) {
    job.failures[slot] = std::current_exception();
  }
}

void Loader::Pipeline::work(std::stop_token stop, size_t worker) {
  RowResizer scratch;
  std::unique_lock lock(mutex_);
  while (true) {
    Job* job = nullptr;
    const auto find_work = [&] {
      const auto open = [](const auto& queued) { return queued->next_slot < queued->failures.size(); };
      const auto found = std::find_if(queue_.begin(), queue_.end(), open);
      job = found == queue_.end() ? nullptr : found->get();
      return job != nullptr;
    };
    if (!work_ready_.wait(lock, stop, find_work) || stop.stop_requested()) return;
    const size_t slot = job->next_slot++;
    held_[worker] = job->batch.images[slot].index;
    lock.unlock();
    fill_slot(*job, slot, scratch);  // the job stays in the queue until every slot has finished
    lock.lock();
    held_[worker] = -1;
    if (++job->finished == job->failures.size()) slot_done_.notify_all();
  }
}

// Moves the slots that are good to the front.
void Loader::Pipeline::drop_slots(Batch& batch, const std::vector<bool>& bad) const {
  const auto area = batch.size.width * batch.size.height * 3;
  int64_t kept = 0;
  for (int64_t slot = 0; slot < batch.count(); ++slot) {
    if (bad[slot]) continue;
    if (kept != slot) {
      if (config_.decode_only) {
        batch.photos[kept] = std::move(batch.photos[slot]);
      } else {
        const auto from = batch.pixels.begin() + slot * area;
        std::copy(from, from + area, batch.pixels.begin() + kept * area);
      }
      batch.images[kept] = std::move(batch.images[slot]);
    }
    ++kept;
  }
  batch.images.resize(static_cast<size_t>(kept));
  if (config_.decode_only) {
    batch.photos.resize(static_cast<size_t>(kept));
  } else {
    batch.pixels.resize(static_cast<size_t>(kept * area));
  }
}

// Hands the filled job out, or throws for its first bad photo. False when nothing of it is left.
bool Loader::Pipeline::finish(Job& job, Batch& batch) {
  std::vector<bool> bad(job.failures.size(), false);
  bool any = false;
  for (size_t slot = 0; slot < job.failures.size(); ++slot) {
    if (!job.failures[slot]) continue;
    if (config_.on_bad_photo == BadPhoto::kStop) std::rethrow_exception(job.failures[slot]);
    try {
      std::rethrow_exception(job.failures[slot]);
    } catch (const Error& error) {  // anything else, such as bad_alloc, is no property of the photo
      job.batch.skipped.push_back(error.what());
      bad[slot] = any = true;
      ++skipped_;
    }
  }
  if (any) drop_slots(job.batch, bad);
  if (job.batch.count() == 0) {
    batch.skipped.insert(batch.skipped.end(), job.batch.skipped.begin(), job.batch.skipped.end());
    spare_.push_back(std::move(job.batch));
    return false;
  }
  job.batch.skipped.insert(job.batch.skipped.begin(), batch.skipped.begin(), batch.skipped.end());
  batch = std::move(job.batch);
  return true;
}

bool Loader::Pipeline::next(Batch& batch) {
  if (batch.pixels.capacity() > 0) spare_.push_back(std::move(batch));
  batch = {};
  while (!over(handed_out_)) {
    enqueue();
    std::unique_ptr<Job> job;
    if (config_.workers == 0) {
      job = std::move(queue_.front());
      queue_.pop_front();
      for (size_t slot = 0; slot < job->failures.size(); ++slot) fill_slot(*job, slot, own_scratch_);
    } else {
      std::unique_lock lock(mutex_);
      slot_done_.wait(lock, [&] { return queue_.front()->finished == queue_.front()->failures.size(); });
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    handed_out_ = planner_.after(handed_out_);
    if (config_.workers > 0) enqueue();
    if (finish(*job, batch)) return true;
  }
  return false;
}

std::vector<std::string> Loader::Pipeline::in_flight() const {
  std::vector<std::string> files;
  const std::lock_guard lock(mutex_);
  for (const int32_t index : held_) {
    if (index >= 0) files.push_back(set_.images.file[index]);
  }
  return files;
}

Loader::Loader(const AnnotationSet& set, InputConfig input, LoaderConfig config, EpochOrder order, LoaderPosition start)
    : pipeline_(std::make_unique<Pipeline>(set, std::move(input), std::move(config), std::move(order), start)) {}
Loader::~Loader() = default;
bool Loader::next(Batch& batch) { return pipeline_->next(batch); }
LoaderPosition Loader::position() const { return pipeline_->position(); }
int64_t Loader::batches_in_epoch(int64_t epoch) const { return pipeline_->batches_in_epoch(epoch); }
int64_t Loader::skipped() const { return pipeline_->skipped(); }
std::vector<std::string> Loader::in_flight() const { return pipeline_->in_flight(); }

}  // namespace tailseg
