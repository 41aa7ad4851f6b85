// RELIABILITY G8: reading a configuration costs in proportion to its octets.
#include <array>

#include "config/load.hpp"
#include "config/nearest.hpp"
#include "growth_test.hpp"

namespace facteur::config {
namespace {

using hostile::Input;
using hostile::repeated;
using hostile::under;

TEST_CASE("reading a hostile configuration costs in proportion to its octets") {
  const std::array<Input, 8> files{{
      {"listeners", [](std::size_t n) { return repeated("[[listener]]\nprotocol = \"imap\"\nport = 143\n", n); }},
      {"unknown options",
       [](std::size_t n) {
         std::string all;
         for (std::size_t i = 0; all.size() < n; ++i) all += "option_" + std::to_string(i) + " = 1\n";
         return all;
       }},
      {"domains", [](std::size_t n) { return under("domains = [", "\"a.example\", ", n) + "]\n"; }},
      {"one long name", [](std::size_t n) { return under("hostname = \"", "a.", n) + "\"\n"; }},
      {"comments", [](std::size_t n) { return repeated("# nothing\n", n); }},
      {"blank lines", [](std::size_t n) { return repeated("\n", n); }},
      {"nested arrays", [](std::size_t n) { return under("domains = ", "[", n); }},
      {"a damaged line", [](std::size_t n) { return under("hostname = \"", "x", n); }},
  }};
  const auto read = [](const std::string& text) { (void)parse({{"facteur.toml", text}}); };
  for (const auto& input : files) growth::check(input, 20'000, read);
}

}  // namespace
}  // namespace facteur::config
