// What each option is: the one place from which parser, checker, reference page, example and explanations are made.
//
// describe() walks the tables of a Config and shows each option to a Visitor as a name, a sentence, limits, and two
// functions that write the member as TOML and set it from a TOML value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/schema.hpp"

namespace facteur::config {

// A value of a TOML file, apart from the library that read it.
struct Raw {
  std::variant<bool, std::int64_t, double, std::string, std::vector<Raw>> value;
};

struct Option {
  std::string_view name;
  std::string_view type;      // "text", "duration", "size"...
  std::string_view sentence;  // What it does.
  std::string_view rfc = {};  // "RFC 5321 §4.5.3.1.8", or empty.
  std::string limits = {};    // "1 to 65535"; the names of a choice; or empty.
  bool required = false;
  std::function<std::string()> show;                          // The present value, as TOML.
  std::function<std::optional<std::string>(const Raw&)> set;  // What is wrong with the value; nothing if it was taken.
};

// A table, or the repeated tables, below another one.
struct Subtable {
  std::string_view name;
  std::string_view sentence;
  bool repeated = false;  // [[name]]
  std::function<std::size_t()> size;
  std::function<void()> grow;  // One more, from defaults.
  std::function<void(std::size_t, class Visitor&)> describe;
};

class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void option(const Option& option) = 0;
  virtual void table(const Subtable& table) = 0;
};

// Options first, then tables, as they are to be written in a file. `config` must outlive the visit only.
void describe(Config& config, Visitor& visitor);

// "5m", "36h", "90s", "250ms"; a number without a unit is seconds.
std::optional<Duration> parse_duration(std::string_view text);
std::string show_duration(Duration duration);
// "50 MiB", "64 KiB", "1000".
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string show_size(std::uint64_t octets);

}  // namespace facteur::config
