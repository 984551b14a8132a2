#include "datasets/samplers/bilevel.h"

#include "datasets/samplers/bilevel_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {

Tensor class_tickets(Context& ctx, const ClassIndex& index, const BilevelOptions& options) {
  TS_CHECK(options.cap >= 1 && options.power >= 0, "bi-level sampling: cap ", options.cap, " and power ", options.power,
           ", expected at least 1 and 0");
  const Tensor tickets = Tensor::empty(ctx, {index.classes()}, DType::int64);
  for_each_item(ctx, index.classes(),
                ClassTickets{index.begin.data<int32_t>(), tickets.data<int64_t>(), options.cap, options.power});
  return tickets;
}

Tensor bilevel_words(Context& ctx, const BilevelOptions& options, int64_t first_batch, int64_t batches, uint64_t seed) {
  TS_CHECK(options.classes_per_batch >= 1 && options.per_class >= 1 && first_batch >= 0 && batches >= 0,
           "bi-level sampling: ", batches, " batches from ", first_batch, ", ", options.classes_per_batch,
           " classes a batch, ", options.per_class, " photos a class");
  const Tensor words = Tensor::empty(ctx, {batches * options.classes_per_batch, 1 + options.per_class}, DType::int64);
  for_each_item(ctx, words.elements(),
                BilevelWord{words.data<int64_t>(),
                            options.classes_per_batch * (1 + options.per_class),
                            first_batch,
                            {seed, random_purpose("bilevel")}});
  return words;
}

ClassDraws bilevel_draws(Context& ctx, const ClassIndex& index, const Tensor& tickets, const Tensor& words) {
  const int64_t classes = index.classes();
  check_shape("bi-level sampling: tickets", tickets, {classes});
  check_shape("bi-level sampling: draws", words, {-1, -1});
  const Tensor upto = exclusive_scan(ctx, tickets);
  TS_CHECK(upto.slice(classes, classes + 1).to_vector<int64_t>(ctx)[0] > 0, "bi-level sampling: no class has a photo");
  const int64_t per_class = words.size(1) - 1;
  const ClassDraws draws{Tensor::empty(ctx, {words.size(0) * per_class}, DType::int32),
                         Tensor::empty(ctx, {words.size(0) * per_class}, DType::int32)};
  for_each_item(ctx, words.size(0),
                BilevelDraw{words.data<int64_t>(), index.photos.data<int32_t>(), index.begin.data<int32_t>(),
                            upto.data<int64_t>(), draws.photos.data<int32_t>(), draws.labels.data<int32_t>(), classes,
                            per_class});
  return draws;
}

}  // namespace tailseg
