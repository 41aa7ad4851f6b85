// Members of what the server answers. Whatever it says, nothing here throws: a member that is not there, or is
// something else, is empty.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace facteur::cli {

inline const boost::json::object& object_in(const boost::json::value& value) {
  static const boost::json::object none;
  return value.is_object() ? value.get_object() : none;
}
inline std::string text_in(const boost::json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : std::string();
}

inline const boost::json::array& array_in(const boost::json::object& object, std::string_view name) {
  static const boost::json::array none;
  const auto* value = object.if_contains(name);
  return value && value->is_array() ? value->get_array() : none;
}
inline std::string text_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? text_in(*value) : std::string();
}
inline std::uint64_t number_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value && value->is_uint64()) return value->get_uint64();
  return value && value->is_int64() ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}
inline bool flag_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

}  // namespace facteur::cli
