#include "datasets/synthetic/outline.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

namespace tailseg::synthetic {
namespace {

constexpr double kPi = std::numbers::pi;

Point polar(double radius, double angle) { return {radius * std::cos(angle), radius * std::sin(angle)}; }

Contour curve(int points, const std::function<Point(double)>& at) {  // at(t), t from 0 to 2 pi
  Contour contour;
  for (int i = 0; i < points; ++i) contour.push_back(at(2 * kPi * i / points));
  return contour;
}

Contour regular(int corners, double radius, double start) {
  return curve(corners, [&](double t) { return polar(radius, t + start); });
}

Contour reversed(Contour contour) {
  std::reverse(contour.begin(), contour.end());
  return contour;
}

Contour star(int spikes, double inner) {
  Contour contour;
  for (int i = 0; i < 2 * spikes; ++i) contour.push_back(polar(i % 2 ? inner : 1.0, kPi * i / spikes - kPi / 2));
  return contour;
}

Contour crescent() {  // the unit circle without a circle of radius 0.8 around (0.5, 0)
  const double outer = std::acos((1 + 0.25 - 0.64) / (2 * 0.5)),
               inner = kPi - std::acos((0.64 + 0.25 - 1) / (2 * 0.8 * 0.5));
  Contour contour;
  const int points = 28;
  for (int i = 0; i <= points; ++i) contour.push_back(polar(1, outer + (2 * kPi - 2 * outer) * i / points));
  for (int i = 1; i < points; ++i) {
    const Point p = polar(0.8, (2 * kPi - inner) - (2 * kPi - 2 * inner) * i / points);
    contour.push_back({p.x + 0.5, p.y});
  }
  for (Point& p : contour) p.x += 0.3;  // centred
  return contour;
}

Contour heart() {
  return curve(48, [](double t) {
    const double s = std::sin(t);
    const double y = 13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t);
    return Point{16 * s * s * s / 16.5, -(y + 2.5) / 16.5};
  });
}

Contour drop() {
  return curve(40, [](double t) {
    const double round = 0.5 * (1 - std::cos(t));  // 0 at the tip, 1 at the bottom
    return Point{0.92 * std::sin(t) * std::pow(round, 0.85), -1 + 1.95 * round};
  });
}

Contour gear() {
  Contour contour;
  const int teeth = 8;
  for (int i = 0; i < teeth; ++i) {
    const double middle = 2 * kPi * i / teeth, half = kPi / teeth;
    contour.push_back(polar(0.72, middle - 0.62 * half));
    contour.push_back(polar(1.0, middle - 0.42 * half));
    contour.push_back(polar(1.0, middle + 0.42 * half));
    contour.push_back(polar(0.72, middle + 0.62 * half));
  }
  return contour;
}

Contour pie() {  // a disc with a wedge of 80 degrees missing
  Contour contour = {{-0.1, 0}};
  const double gap = 40 * kPi / 180;
  for (int i = 0; i <= 36; ++i) contour.push_back(polar(0.98, gap + (2 * kPi - 2 * gap) * i / 36));
  return contour;
}

Contour flower() {
  return curve(72, [](double t) { return polar(0.72 + 0.28 * std::cos(6 * t), t); });
}

Contour half_disc() {
  Contour contour;
  for (int i = 0; i <= 24; ++i) contour.push_back({std::cos(kPi * i / 24), -0.45 + std::sin(kPi * i / 24)});
  return contour;
}

std::vector<Outline> make_shapes() {
  const double s = 0.84;
  const Contour square = {{-s, -s}, {s, -s}, {s, s}, {-s, s}};
  const Contour window = {{-0.42, -0.42}, {0.42, -0.42}, {0.42, 0.42}, {-0.42, 0.42}};
  const double a = 0.33;
  const Contour cross = {{-a, -1}, {a, -1}, {a, -a}, {1, -a}, {1, a},   {a, a},
                         {a, 1},   {-a, 1}, {-a, a}, {-1, a}, {-1, -a}, {-a, -a}};
  const Contour arrow = {{-1, -0.3}, {0.05, -0.3}, {0.05, -0.8}, {1, 0}, {0.05, 0.8}, {0.05, 0.3}, {-1, 0.3}};
  const Contour bolt = {{0.25, -1}, {-0.65, 0.15}, {-0.08, 0.15}, {-0.3, 1}, {0.65, -0.25}, {0.08, -0.25}, {0.55, -1}};
  const Contour hourglass = {{-0.8, -0.95}, {0.8, -0.95}, {0.16, 0}, {0.8, 0.95}, {-0.8, 0.95}, {-0.16, 0}};
  const Contour tee = {{-0.95, -0.9}, {0.95, -0.9},  {0.95, -0.28},  {0.31, -0.28},
                       {0.31, 0.95},  {-0.31, 0.95}, {-0.31, -0.28}, {-0.95, -0.28}};
  return {{"disc", {regular(48, 0.95, 0)}},
          {"star", {star(5, 0.44)}},
          {"square", {square}},
          {"heart", {heart()}},
          {"cross", {cross}},
          {"ring", {regular(48, 1.0, 0), reversed(regular(36, 0.5, 0))}},
          {"triangle", {regular(3, 1.1, -kPi / 2)}},
          {"crescent", {crescent()}},
          {"arrow", {arrow}},
          {"flower", {flower()}},
          {"hourglass", {hourglass}},
          {"gear", {gear(), reversed(regular(20, 0.26, 0))}},
          {"hexagon", {regular(6, 1.0, 0)}},
          {"bolt", {bolt}},
          {"drop", {drop()}},
          {"tee", {tee}},
          {"frame", {square, reversed(window)}},
          {"pie", {pie()}},
          {"bowl", {half_disc()}}};
}

}  // namespace

const std::vector<Outline>& shape_outlines() {
  static const std::vector<Outline> outlines = make_shapes();
  return outlines;
}

double outline_area(const Outline& outline) {
  double twice = 0;
  for (const Contour& contour : outline.contours) {
    for (size_t i = 0; i < contour.size(); ++i) {
      const Point &p = contour[i], &q = contour[(i + 1) % contour.size()];
      twice += p.x * q.y - q.x * p.y;
    }
  }
  return std::abs(twice) / 2;
}

}  // namespace tailseg::synthetic
