#include "datasets/samplers/class_balanced.h"

#include <catch2/catch.hpp>
#include <numeric>

#include "datasets/samplers/class_balanced_body.h"
#include "tensor/error.h"
#include "tests/crew.h"
#include "tests/datasets/sampling_cases.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

// The table of classes for lists of photos.
struct Table {
  std::vector<std::vector<int32_t>> lists;
  std::vector<int32_t> photos, begin{0}, present;

  explicit Table(std::vector<std::vector<int32_t>> given) : lists(std::move(given)) {
    for (size_t c = 0; c < lists.size(); ++c) {
      photos.insert(photos.end(), lists[c].begin(), lists[c].end());
      begin.push_back(static_cast<int32_t>(photos.size()));
      if (!lists[c].empty()) present.push_back(static_cast<int32_t>(c));
    }
  }
  static Tensor ints(Context& ctx, const std::vector<int32_t>& values) {
    return Tensor::from(ctx, {static_cast<int64_t>(values.size())}, values);
  }
  ClassIndex index(Context& ctx) const {
    return {ints(ctx, photos), ints(ctx, begin), Tensor::zeros(ctx, {int64_t(lists.size())}, DType::int32)};
  }
  ClassDraws draws(Context& ctx, int64_t per_class, int64_t first, int64_t count, uint64_t seed = 4) const {
    return class_balanced_draws(ctx, index(ctx), ints(ctx, present), per_class, first, count, seed);
  }
};

Table some_classes() { return Table({{0, 3, 4, 7, 9, 11, 12}, {5}, {}, {1, 3, 5}, {2, 11}}); }

// As the published samplers are written: endless iterators that reshuffle a list whenever it is used up.
class Cycle {
 public:
  Cycle(std::vector<int32_t> values, RandomKey key, uint32_t index)
      : values_(std::move(values)), key_(key), index_(index) {}
  int32_t next() {
    if (used_ == 0) {
      current_ = values_;
      shuffle(current_.data(), current_.size(), RandomStream(key_, round_++, index_));
    }
    const int32_t value = current_[used_];
    used_ = (used_ + 1) % values_.size();
    return value;
  }

 private:
  std::vector<int32_t> values_, current_;
  RandomKey key_;
  uint32_t index_, round_ = 0;
  size_t used_ = 0;
};

struct Drawn {
  std::vector<int32_t> photos, labels;
};

Drawn walked(const Table& table, int64_t per_class, size_t count, uint64_t seed) {
  std::vector<int32_t> places(table.present.size());
  std::iota(places.begin(), places.end(), 0);
  Cycle classes(places, {seed, random_purpose("class cycle")}, 0);
  std::vector<Cycle> photos;
  for (const int32_t c : table.present) {
    photos.emplace_back(table.lists[static_cast<size_t>(c)], RandomKey{seed, random_purpose("class photos")},
                        static_cast<uint32_t>(c));
  }
  Drawn out;
  while (out.photos.size() < count) {
    const auto place = static_cast<size_t>(classes.next());
    for (int64_t i = 0; i < per_class; ++i) {
      out.photos.push_back(photos[place].next());
      out.labels.push_back(table.present[place]);
    }
  }
  out.photos.resize(count);
  out.labels.resize(count);
  return out;
}

}  // namespace

TEST_CASE("any stretch of the class-balanced draws is that of the iterators that have lived through all before") {
  const Table table = some_classes();
  for (Context* ctx : devices()) {
    for (const int64_t per_class : {1, 4, 3}) {
      const Drawn all = walked(table, per_class, 700, 4);
      for (const auto& [first, count] :
           std::vector<std::pair<int64_t, int64_t>>{{0, 700}, {0, 1}, {1, 1}, {37, 64}, {101, 599}, {699, 1}, {5, 0}}) {
        const ClassDraws draws = table.draws(*ctx, per_class, first, count);
        CAPTURE(per_class, first, count);
        REQUIRE(draws.photos.to_vector<int32_t>(*ctx) ==
                std::vector<int32_t>(all.photos.begin() + first, all.photos.begin() + first + count));
        REQUIRE(draws.labels.to_vector<int32_t>(*ctx) ==
                std::vector<int32_t>(all.labels.begin() + first, all.labels.begin() + first + count));
      }
    }
  }
}

TEST_CASE("each cycle visits every class with photos once, each pass every photo of the class once") {
  Context& ctx = cpu_context();
  const Table table = some_classes();
  const ClassDraws draws = table.draws(ctx, 1, 0, 4 * 7 * 10);
  const auto photos = draws.photos.to_vector<int32_t>(ctx), labels = draws.labels.to_vector<int32_t>(ctx);
  std::map<int32_t, std::vector<int32_t>> streams;
  for (size_t i = 0; i < labels.size(); i += 4) {
    REQUIRE(std::set<int32_t>(labels.begin() + static_cast<std::ptrdiff_t>(i),
                              labels.begin() + static_cast<std::ptrdiff_t>(i) + 4) == std::set<int32_t>{0, 1, 3, 4});
    for (size_t k = i; k < i + 4; ++k) streams[labels[k]].push_back(photos[k]);
  }
  for (const auto& [label, stream] : streams) {
    const auto& list = table.lists[static_cast<size_t>(label)];
    for (size_t i = 0; i + list.size() <= stream.size(); i += list.size()) {
      const std::vector<int32_t> pass(stream.begin() + static_cast<std::ptrdiff_t>(i),
                                      stream.begin() + static_cast<std::ptrdiff_t>(i + list.size()));
      REQUIRE(std::set<int32_t>(pass.begin(), pass.end()) == std::set<int32_t>(list.begin(), list.end()));
    }
  }
  CHECK(table.draws(ctx, 1, 0, 100, 5).photos.to_vector<int32_t>(ctx) !=
        table.draws(ctx, 1, 0, 100, 4).photos.to_vector<int32_t>(ctx));
}

TEST_CASE("every class is equally likely at every place of a cycle, and so is every photo at every place of a pass") {
  Context& ctx = cpu_context();
  const Table table({{0, 1, 2, 3, 4}, {5, 6}, {7}});
  constexpr int kCycles = 3000;
  const ClassDraws draws = table.draws(ctx, 1, 0, 3 * kCycles);
  const auto photos = draws.photos.to_vector<int32_t>(ctx), labels = draws.labels.to_vector<int32_t>(ctx);
  std::vector<double> at_place(9, 0), of_pass(25, 0);
  int pass_place = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    at_place[(i % 3) * 3 + static_cast<size_t>(labels[i])] += 1;
    if (labels[i] == 0) {
      of_pass[static_cast<size_t>(pass_place * 5 + photos[i])] += 1;
      pass_place = (pass_place + 1) % 5;
    }
  }
  CHECK(chi_square_fits(at_place, std::vector<double>(9, kCycles / 3.0), 4));  // rows and columns are fixed
  CHECK(chi_square_fits(of_pass, std::vector<double>(25, kCycles / 25.0), 16));
}

TEST_CASE("one class with one photo, and draws far from the beginning") {
  for (Context* ctx : devices()) {
    const ClassDraws draws = Table(std::vector<std::vector<int32_t>>{{42}}).draws(*ctx, 4, 0, 9);
    CHECK(draws.photos.to_vector<int32_t>(*ctx) == std::vector<int32_t>(9, 42));
    CHECK(draws.labels.to_vector<int32_t>(*ctx) == std::vector<int32_t>(9, 0));
    const int64_t far = int64_t{3} << 31;  // beyond 32 bits; passes and cycles still fit
    const Table table({{0, 1, 2}, {3, 4, 5, 6}});
    const auto whole = table.draws(*ctx, 1, far, 40).photos.to_vector<int32_t>(*ctx);
    const auto tail = table.draws(*ctx, 1, far + 13, 27).photos.to_vector<int32_t>(*ctx);
    CHECK(std::vector<int32_t>(whole.begin() + 13, whole.end()) == tail);
    CHECK_THROWS_AS(Table(std::vector<std::vector<int32_t>>(2)).draws(*ctx, 1, 0, 4), Error);
    CHECK_THROWS_AS(table.draws(*ctx, 0, 0, 4), Error);
  }
}

TEST_CASE("class-balanced bodies give the same on a crew") {
  const Table table = some_classes();
  const int64_t per_class = 2, first = 19, count = 50, present = 4, first_cycle = first / per_class / present;
  const int64_t cycles = (first + count - 1) / per_class / present - first_cycle + 1;
  std::vector<int32_t> order(static_cast<size_t>(cycles * present));
  crew::run(3, cycles, ClassCycle{order.data(), present, first_cycle, {4, random_purpose("class cycle")}});
  const ClassPasses passes{table.present.data(), table.begin.data(), first_cycle * per_class,
                           (first_cycle + cycles) * per_class - 1};
  std::vector<int64_t> length(4), offset{0};
  crew::run(3, 4, PassLength{passes, length.data()});
  for (const int64_t n : length) offset.push_back(offset.back() + n);
  std::vector<int32_t> shuffled(static_cast<size_t>(offset.back()), -1);
  crew::run(3, 4,
            PassPhotos{passes,
                       table.photos.data(),
                       offset.data(),
                       shuffled.data(),
                       {4, random_purpose("class photos")},
                       offset.back()});
  std::vector<int32_t> photo(50), label(50);
  crew::run(4, count,
            BalancedDraw{passes, order.data(), shuffled.data(), offset.data(), photo.data(), label.data(), present,
                         per_class, first, first_cycle});
  const Drawn all = walked(table, per_class, 69, 4);
  CHECK(photo == std::vector<int32_t>(all.photos.begin() + 19, all.photos.end()));
  CHECK(label == std::vector<int32_t>(all.labels.begin() + 19, all.labels.end()));
}
