// The members of a request of the control socket, as commands read them.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::server {

namespace json = boost::json;

// The members of a request. Whatever is missing or of another type is as if it were empty.
class Asked {
 public:
  explicit Asked(const json::object& object) : object_(object) {}

  std::string text(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  }
  bool flag(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    return value && value->is_bool() && value->get_bool();
  }
  std::optional<std::uint64_t> number(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    if (!value || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
    return static_cast<std::uint64_t>(value->get_int64());
  }
  std::optional<std::int64_t> signed_number(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    if (!value || !value->is_int64()) return std::nullopt;
    return value->get_int64();
  }
  const json::array* array(std::string_view name) const {  // nullptr: there is none.
    const auto* value = object_.if_contains(name);
    return value && value->is_array() ? &value->get_array() : nullptr;
  }
  std::vector<std::string> texts(std::string_view name) const {
    std::vector<std::string> out;
    const auto* value = object_.if_contains(name);
    if (!value || !value->is_array()) return out;
    for (const auto& item : value->get_array()) {
      if (item.is_string()) out.emplace_back(item.get_string());
    }
    return out;
  }

 private:
  const json::object& object_;
};

}  // namespace facteur::server
