// Settings that are each right and together are not.
#include <catch2/catch.hpp>

#include "apps/config/config.h"

using namespace tailseg;

TEST_CASE("LDAM's margins need cosines: a normalised classifier of temperature 1") {
  const std::vector<std::string> ldam{"model.box_head.loss.type=margin", "model.box_head.loss.margin.form=ldam"};
  const auto with = [](std::vector<std::string> all, const std::vector<std::string>& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::string needs =
      "set model.box_head.classifier = \"normalized\" and model.box_head.normalized.temperature = 1";
  CHECK_THROWS_WITH(load_config("", ldam), Catch::Contains(needs));
  CHECK_THROWS_WITH(load_config("", with(ldam, {"model.box_head.classifier=normalized"})),
                    Catch::Contains(needs));  // temperature 20
  const std::vector<std::string> cosines =
      with(ldam, {"model.box_head.classifier=normalized", "model.box_head.normalized.temperature=1"});
  CHECK_NOTHROW(load_config("", cosines));
  CHECK_NOTHROW(load_config("", {"model.box_head.loss.type=margin"}));       // SimCal's are not
  CHECK_NOTHROW(load_config("", {"model.box_head.loss.margin.form=ldam"}));  // of a loss that is not chosen
  const std::vector<std::string> calibrated{"calibration.recipe=crt", "calibration.loss.type=margin",
                                            "calibration.loss.margin.form=ldam"};
  CHECK_THROWS_WITH(load_config("", calibrated), Catch::Contains("calibration.classifier = \"normalized\""));
  CHECK_NOTHROW(
      load_config("", with(calibrated, {"calibration.classifier=normalized", "calibration.normalized.temperature=1"})));
}
