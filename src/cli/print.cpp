#include "cli/print.hpp"

#include <algorithm>

#include "config/describe.hpp"

namespace facteur::cli {

namespace {

namespace json = boost::json;

std::string text_of(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  return json::serialize(value);
}

std::string member(const json::object& object, std::string_view name) {
  const auto* found = object.if_contains(name);
  return found ? text_of(*found) : std::string();
}

std::uint64_t number(const json::object& object, std::string_view name) {
  const auto* found = object.if_contains(name);
  return found && found->is_number() ? found->to_number<std::uint64_t>() : 0;
}

std::string joined(const json::value& list) {
  std::string out;
  for (const auto& item : list.as_array()) out += (out.empty() ? "" : ", ") + text_of(item);
  return out;
}

// Code points, near enough to columns.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// "1.4 MiB" and the like.
std::string about(std::uint64_t octets) {
  constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  std::uint64_t tenths = octets * 10;
  while (tenths >= 10240 && unit + 1 < std::size(units)) {
    tenths /= 1024;
    ++unit;
  }
  std::string out = std::to_string(tenths / 10);
  if (unit > 0 && tenths < 1000) out += "." + std::to_string(tenths % 10);
  return out + " " + std::string(units[unit]);
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    line.resize(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string domains(const json::value& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.as_array()) {
    const auto& domain = item.as_object();
    const std::string catch_all = member(domain, "catch_all");
    rows.push_back({member(domain, "name"), domain.at("configured").as_bool() ? "configuration" : "command",
                    catch_all.empty() ? "" : "*@ -> " + catch_all});
  }
  return table(rows);
}

std::string accounts(const Context& context, const json::value& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.as_array()) {
    const auto& account = item.as_object();
    const auto quota = number(account, "quota");
    std::string more;
    for (const auto& address : account.at("addresses").as_array()) {
      if (text_of(address) != member(account, "address")) more += (more.empty() ? "" : " ") + text_of(address);
    }
    rows.push_back({member(account, "address"), std::to_string(number(account, "messages")),
                    about(number(account, "bytes")) + (quota ? " / " + about(quota) : ""),
                    account.at("enabled").as_bool() ? "" : context.say("account.disabled"), member(account, "name"),
                    more});
  }
  return rows.empty() ? context.say("account.none") + "\n" : table(rows);
}

std::string aliases(const json::value& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.as_array()) {
    rows.push_back({member(item.as_object(), "address"), "-> " + joined(item.as_object().at("targets"))});
  }
  return table(rows);
}

std::string queue(const Context& context, const json::value& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.as_array()) {
    const auto& entry = item.as_object();
    rows.push_back({member(entry, "id"), member(entry, "arrived"), about(number(entry, "size")),
                    "<" + member(entry, "sender") + ">" + (entry.at("held").as_bool() ? " HELD" : "")});
    for (const auto& r : entry.at("recipients").as_array()) {
      const auto& recipient = r.as_object();
      const std::string reply = member(recipient, "last_reply");
      rows.push_back({"", "", "",
                      "-> " + member(recipient, "address") + " " + member(recipient, "status") + ", " +
                          member(recipient, "attempts") + "x, next " + member(recipient, "next_try") +
                          (reply.empty() ? "" : ": " + reply)});
    }
  }
  return rows.empty() ? context.say("queue.empty") + "\n" : table(rows);
}

std::string queue_entry(const json::value& answer) {
  const auto& entry = answer.as_object();
  std::string out;
  for (const auto* name : {"id", "sender", "size", "arrived", "expires", "held", "trace"}) {
    out += std::string(name) + ": " + member(entry, name) + "\n";
  }
  for (const auto& r : entry.at("recipients").as_array()) {
    const auto& recipient = r.as_object();
    out += "recipient: " + member(recipient, "address") + "\n";
    for (const auto* name : {"status", "attempts", "next_try", "last_host", "last_reply"}) {
      const std::string value = member(recipient, name);
      if (!value.empty()) out += "  " + std::string(name) + ": " + value + "\n";
    }
  }
  const std::string header = member(entry, "header");
  return header.empty() ? out : out + "\n" + header;
}

std::string members(const json::value& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.as_object()) rows.push_back({std::string(item.key()) + ":", text_of(item.value())});
  return table(rows);
}

}  // namespace facteur::cli
