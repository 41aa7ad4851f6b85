// RELIABILITY G8: ordering the exchangers of a domain costs in proportion to the answer.
#include <array>

#include "dns/exchangers.hpp"
#include "growth_test.hpp"

namespace facteur::dns {
namespace {

using hostile::Input;
using hostile::repeated;

class Counting : public world::Random {
 public:
  void fill(Room room) override {
    for (char& octet : room) octet = static_cast<char>(++next_);
  }

 private:
  unsigned next_ = 0;
};

TEST_CASE("a hostile answer costs in proportion to its records") {
  // The octets choose the preference of a record each.
  const std::array<Input, 4> answers{{
      {"all alike", [](std::size_t n) { return std::string(n, 'a'); }},
      {"going down",
       [](std::size_t n) {
         std::string all(n, '\0');
         for (std::size_t i = 0; i < n; ++i) all[i] = static_cast<char>(255 - i * 256 / n);
         return all;
       }},
      {"two groups", [](std::size_t n) { return repeated("ab", n); }},
      {"ourselves last", [](std::size_t n) { return std::string(n, 'b') + "\xff"; }},
  }};
  const auto read = [](const std::string& text) {
    MxAnswer answer;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool ours = text[i] == '\xff';
      answer.records.push_back(
          {static_cast<std::uint8_t>(text[i]), ours ? "mx.example" : "h" + std::to_string(i) + ".example"});
    }
    Counting random;
    const std::array<std::string, 1> ours{"mx.example"};
    (void)order_exchangers("d.example", answer, ours, random);
  };
  for (const auto& input : answers) growth::check(input, 20'000, read);
}

}  // namespace
}  // namespace facteur::dns
