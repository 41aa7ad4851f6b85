// What undelete shows.
#include "cli/print.hpp"

namespace facteur::cli {

namespace {

namespace json = boost::json;

std::string shown(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (!value) return {};
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

std::string names(const json::value& addresses) {
  std::string out;
  for (const auto& address : addresses.as_array()) out += "  " + std::string(address.as_string()) + "\n";
  return out;
}

}  // namespace

std::string domain_added(const Context& context, const json::value& answer) {
  const auto& object = answer.as_object();
  std::string out;
  if (!object.at("restored_accounts").as_array().empty()) {
    out += context.say("domain.restored") + "\n" + names(object.at("restored_accounts"));
  }
  if (!object.at("removed_accounts").as_array().empty()) {
    out += context.say("domain.removed_accounts") + "\n" + names(object.at("removed_accounts"));
  }
  return out.empty() ? context.say("done") + "\n" : out;
}

std::string deleted(const Context& context, const json::value& answer) {
  const auto& object = answer.as_object();
  std::vector<std::vector<std::string>> rows;
  if (const auto* accounts = object.if_contains("accounts")) {
    for (const auto& item : accounts->as_array()) {
      const auto& account = item.as_object();
      rows.push_back({shown(account, "address"), shown(account, "removed"), shown(account, "messages"),
                      shown(account, "bytes"), shown(account, "name")});
    }
  } else {
    for (const auto& item : object.at("messages").as_array()) {
      const auto& message = item.as_object();
      rows.push_back({shown(message, "id"), shown(message, "deleted"), shown(message, "folder"), shown(message, "size"),
                      shown(message, "from"), shown(message, "subject")});
    }
  }
  return rows.empty() ? context.say("undelete.none") + "\n" : table(rows);
}

std::string restored(const Context& context, const json::value& answer) {
  const auto& object = answer.as_object();
  if (object.contains("account")) return context.say("undelete.account", {shown(object, "account")}) + "\n";
  return context.say("undelete.messages", {shown(object, "messages")}) + "\n";
}

}  // namespace facteur::cli
