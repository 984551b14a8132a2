#include "datasets/samplers/photo_sampler.h"

#include <algorithm>
#include <memory>

#include "tensor/error.h"

namespace tailseg {
namespace {

SamplingSet sampling_set(const AnnotationSet& set, const PhotoSamplerOptions& options, bool draws_classes) {
  const bool with_empty = options.empty != EmptyPhotos::drop && !draws_classes;
  SamplingSet data{set, trainable_images(set, options.rule, with_empty), {0}, {}, {}};
  auto next = data.drawable.begin();
  for (int32_t i = 0; i < set.images.size(); ++i) {
    if (next != data.drawable.end() && *next == i) {
      ++next;
      for (const int32_t a : set.by_image[i]) {
        if (is_drawn_for(set, a, options.rule)) data.label.push_back(set.annotations.label[static_cast<size_t>(a)]);
      }
    }
    data.photo.resize(data.label.size(), i);
    data.begin.push_back(static_cast<int32_t>(data.label.size()));
  }
  return data;
}

// Empty photos as objects of one more class.
void add_empty_class(SamplingSet& data) {
  SamplingSet with{data.set, data.drawable, {0}, {}, {}};
  auto next = data.drawable.begin();
  for (int32_t i = 0; i < data.set.images.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    with.label.insert(with.label.end(), data.label.begin() + data.begin[at], data.label.begin() + data.begin[at + 1]);
    const bool drawable = next != data.drawable.end() && *next == i;
    if (drawable) ++next;
    if (drawable && data.begin[at] == data.begin[at + 1]) with.label.push_back(data.set.class_count());
    with.photo.resize(with.label.size(), i);
    with.begin.push_back(static_cast<int32_t>(with.label.size()));
  }
  data.begin = with.begin;
  data.label = with.label;
  data.photo = with.photo;
}

// The kernels' context, the table of classes, and what is read back of it.
struct Classes {
  std::shared_ptr<Context> ctx = std::make_shared<Context>(Device{}, ContextOptions{.threads = 1});
  ClassIndex index;
  std::vector<int32_t> photos, begin, present;  // present: classes with a photo

  Classes(const SamplingSet& data, int64_t classes)
      : index(class_index(*ctx, tensor(data.photo), tensor(data.label), classes)),
        photos(index.photos.to_vector<int32_t>(*ctx)),
        begin(index.begin.to_vector<int32_t>(*ctx)) {
    for (int32_t c = 0; c < classes; ++c) {
      if (photos_of(c) > 0) present.push_back(c);
    }
  }
  Tensor tensor(const std::vector<int32_t>& values) const {
    return Tensor::from(*ctx, {static_cast<int64_t>(values.size())}, values);
  }
  int32_t photos_of(int32_t c) const { return begin[static_cast<size_t>(c) + 1] - begin[static_cast<size_t>(c)]; }

  // Mean draws of each photo when class c is drawn draws[c] times and its photos uniformly.
  std::vector<double> expected(const SamplingSet& data, const std::vector<double>& draws) const {
    std::vector<double> out(static_cast<size_t>(data.set.images.size()), 0);
    for (const int32_t c : present) {
      const double each = draws[static_cast<size_t>(c)] / photos_of(c);
      for (int32_t p = begin[static_cast<size_t>(c)]; p < begin[static_cast<size_t>(c) + 1]; ++p) {
        out[static_cast<size_t>(photos[static_cast<size_t>(p)])] += each;
      }
    }
    return out;
  }
};

EpochOrder shuffled_epochs(const SamplingSet& data, EpochOrder images, const PhotoSamplerOptions& options) {
  return options.aspect_grouping
             ? shuffled_by_aspect(data.set.images, std::move(images), options.batch_size, options.seed)
             : shuffled(std::move(images), options.batch_size, options.seed);
}

PhotoSampler make_random(const SamplingSet& data, const PhotoSamplerOptions& options) {
  PhotoSampler out{shuffled_epochs(data, sequential_order(data.drawable), options), {}, 0};
  out.expected.assign(static_cast<size_t>(data.set.images.size()), 0);
  for (const int32_t i : data.drawable) out.expected[static_cast<size_t>(i)] = 1;
  return out;
}

PhotoSampler make_repeat_factor(const SamplingSet& given, const PhotoSamplerOptions& options) {
  SamplingSet data = given;
  if (options.empty == EmptyPhotos::as_class) add_empty_class(data);
  const Classes classes(data, data.set.class_count() + (options.empty == EmptyPhotos::as_class));
  Context& ctx = *classes.ctx;
  std::vector<uint8_t> drawable(static_cast<size_t>(data.set.images.size()), 0);
  for (const int32_t i : data.drawable) drawable[static_cast<size_t>(i)] = 1;
  const auto count = static_cast<int64_t>(drawable.size());
  const PhotoClasses photos{classes.tensor(data.begin), classes.tensor(data.label),
                            Tensor::from(ctx, {count}, drawable)};
  const Tensor class_factors =
      class_repeat_factors(ctx, classes.index, static_cast<int64_t>(data.drawable.size()), options.repeat);
  const Tensor factors = photo_repeat_factors(ctx, photos, class_factors);
  const RepeatRounding rounding = options.repeat.rounding;
  const auto copies = [owner = classes.ctx, factors, rounding, count, seed = options.seed](int64_t epoch) {
    const Tensor draws = repeat_draws(*owner, count, seed, static_cast<uint32_t>(epoch));
    return repeat_counts(*owner, factors, draws, rounding);
  };
  PhotoSampler out;
  out.order = shuffled_epochs(
      data,
      [owner = classes.ctx, copies](int64_t epoch) {
        return Epoch{repeated_photos(*owner, copies(epoch)).to_vector<int32_t>(*owner), {}};
      },
      options);
  out.expected = factors.to_vector<double>(ctx);
  if (rounding == RepeatRounding::ceil) {
    const std::vector<int64_t> whole = copies(0).to_vector<int64_t>(ctx);
    out.expected.assign(whole.begin(), whole.end());
  }
  return out;
}

PhotoSampler make_class_balanced(const SamplingSet& data, const PhotoSamplerOptions& options) {
  const Classes classes(data, data.set.class_count());
  const auto present = static_cast<int64_t>(classes.present.size());
  int64_t largest = 0;
  for (const int32_t c : classes.present) largest = std::max<int64_t>(largest, classes.photos_of(c));
  const int64_t batch = options.batch_size, published = (largest * present + batch - 1) / batch;
  const int64_t length = batch * (options.epoch_batches > 0 ? options.epoch_batches : published);
  PhotoSampler out;
  out.order = [owner = classes.ctx, index = classes.index, who = classes.tensor(classes.present), length,
               per_class = options.per_class, seed = options.seed](int64_t epoch) {
    const ClassDraws draws = class_balanced_draws(*owner, index, who, per_class, epoch * length, length, seed);
    return Epoch{draws.photos.to_vector<int32_t>(*owner), draws.labels.to_vector<int32_t>(*owner)};
  };
  const double each = static_cast<double>(length) / static_cast<double>(present);
  out.expected = classes.expected(data, std::vector<double>(static_cast<size_t>(data.set.class_count()), each));
  return out;
}

PhotoSampler make_bilevel(const SamplingSet& data, const PhotoSamplerOptions& options) {
  TS_CHECK(options.batch_size % options.per_class == 0, "bi-level sampling: batches of ", options.batch_size,
           " photos cannot be made of classes with ", options.per_class, " photos each");
  const Classes classes(data, data.set.class_count());
  constexpr int64_t kPublishedBatches = 1000;
  const int64_t batches = options.epoch_batches > 0 ? options.epoch_batches : kPublishedBatches;
  const BilevelOptions bilevel{options.batch_size / options.per_class, options.per_class, options.class_cap,
                               options.class_power};
  const Tensor tickets = class_tickets(*classes.ctx, classes.index, bilevel);
  PhotoSampler out;
  out.order = [owner = classes.ctx, index = classes.index, tickets, bilevel, batches,
               seed = options.seed](int64_t epoch) {
    const Tensor words = bilevel_words(*owner, bilevel, epoch * batches, batches, seed);
    const ClassDraws draws = bilevel_draws(*owner, index, tickets, words);
    return Epoch{draws.photos.to_vector<int32_t>(*owner), draws.labels.to_vector<int32_t>(*owner)};
  };
  const std::vector<int64_t> owned = tickets.to_vector<int64_t>(*classes.ctx);
  double total = 0;
  for (const int64_t mine : owned) total += static_cast<double>(mine);
  std::vector<double> draws;
  for (const int64_t mine : owned) {
    draws.push_back(static_cast<double>(batches * options.batch_size) * static_cast<double>(mine) / total);
  }
  out.expected = classes.expected(data, draws);
  return out;
}

constexpr PhotoSamplerRow kSamplers[] = {
    {"random", "METHODS 3.1", false, make_random},
    {"repeat_factor", "Gupta et al., LVIS, CVPR 2019", false, make_repeat_factor},
    {"class_balanced", "Kang et al., Decoupling representation and classifier, ICLR 2020", true, make_class_balanced},
    {"bilevel", "Wang et al., The devil is in classification (SimCal), ECCV 2020", true, make_bilevel},
};

}  // namespace

std::span<const PhotoSamplerRow> photo_samplers() { return kSamplers; }

PhotoSampler make_photo_sampler(const std::string& name, const AnnotationSet& set, const PhotoSamplerOptions& options) {
  std::string known;
  for (const PhotoSamplerRow& row : kSamplers) {
    known += (known.empty() ? "" : ", ") + std::string(row.name);
    if (name != row.name) continue;
    TS_CHECK(options.batch_size >= 1 && options.per_class >= 1 && options.epoch_batches >= 0, "sampler ", name,
             ": batches of ", options.batch_size, " photos, ", options.per_class, " a class, ", options.epoch_batches,
             " batches an epoch; expected at least 1, 1 and 0");
    const SamplingSet data = sampling_set(set, options, row.draws_classes);
    TS_CHECK(!data.drawable.empty(), set.path, ": sampler ", name, " has no photo to draw: none of ", set.images.size(),
             " has an annotation to train on");
    TS_CHECK(name == "random" || !data.label.empty(), set.path, ": sampler ", name,
             " needs photos with annotations to train on, and there is none; sampler random needs no classes");
    PhotoSampler sampler = row.make(data, options);
    sampler.drawable = static_cast<int64_t>(data.drawable.size());
    return sampler;
  }
  fail("unknown sampler '", name, "', expected one of ", known);
}

}  // namespace tailseg
