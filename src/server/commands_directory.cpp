// domain, account, alias: who has mail here.
#include "directory/address.hpp"
#include "server/command_family.hpp"

namespace facteur::server {

namespace {

namespace json = boost::json;

json::array array_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}

Task<Answer> list_domains(const CommandDoors& doors, const Asked&) {
  auto domains = doors.admin.list_domains();
  if (!domains) co_return failed(domains);
  json::array out;
  for (const auto& d : *domains) {
    out.push_back(json::object{{"name", d.name}, {"configured", d.configured}, {"catch_all", d.catch_all}});
  }
  co_return out;
}

// Accounts of the domain that were removed: all of them come back if that is asked, else they are told.
Task<Answer> add_domain(const CommandDoors& doors, const Asked& asked) {
  if (auto added = co_await doors.admin.add_domain(asked.text("name")); !added) co_return failed(added);
  auto removed = doors.admin.list_removed();
  if (!removed) co_return failed(removed);
  json::array waiting;
  json::array restored;
  const std::string domain = "@" + directory::canonical_domain(asked.text("name"));
  for (const auto& old : *removed) {
    if (!old.account.address.ends_with(domain)) continue;
    const bool back = asked.flag("reattach") && co_await bring_back(doors, old.account.id);
    (back ? restored : waiting).emplace_back(old.account.address);
  }
  co_return json::object{{"removed_accounts", std::move(waiting)}, {"restored_accounts", std::move(restored)}};
}
Task<Answer> remove_domain(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.remove_domain(asked.text("name")));
}
Task<Answer> set_catch_all(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_catch_all(asked.text("name"), asked.text("address")));
}

Task<Answer> list_accounts(const CommandDoors& doors, const Asked& asked) {
  auto accounts = doors.directory.accounts(asked.text("domain"));
  if (!accounts) co_return failed(accounts);
  json::array out;
  for (const auto& a : *accounts) {
    auto usage = doors.mailboxes.usage(a.id);
    json::object account{{"id", a.id.value},       {"address", a.address}, {"name", a.display_name},
                         {"quota", a.quota_bytes}, {"enabled", a.enabled}, {"addresses", array_of(a.addresses)}};
    if (usage) {
      account["bytes"] = usage->bytes;
      account["messages"] = usage->messages;
    }
    out.push_back(std::move(account));
  }
  co_return out;
}

// `account add --reattach`: the removed account with its mail, and a new password if one is given.
Task<Answer> reattach_account(const CommandDoors& doors, const Asked& asked) {
  auto removed = find_removed(doors, asked.text("address"));
  if (!removed) co_return failed(removed);
  if (!*removed) {
    co_return failure(Failure::Kind::permanent, "F-6108",
                      "No removed account had the address " + asked.text("address"));
  }
  auto back = co_await bring_back(doors, (*removed)->account.id);
  if (!back) co_return failed(back);
  if (observe::Secret password{asked.text("password")}; !password.value.empty()) {
    auto set = co_await doors.admin.set_password(back->address, std::move(password), asked.flag("shared_secret"));
    if (!set) co_return failed(set);
  }
  co_return json::object{{"id", back->id.value}, {"address", back->address}, {"addresses", array_of(back->addresses)}};
}

Task<Answer> add_account(const CommandDoors& doors, const Asked& asked) {
  if (asked.flag("reattach")) co_return co_await reattach_account(doors, asked);
  directory::NewAccount account{
      asked.text("address"),       {asked.text("password")},
      asked.text("name"),          asked.number("quota"),
      asked.flag("shared_secret"), [&doors](directory::AccountId id) { return doors.mailboxes.create_account(id); },
      asked.flag("fresh")};
  auto id = co_await doors.admin.add_account(std::move(account));
  if (!id) co_return failed(id);
  co_return json::object{{"id", id->value}, {"address", asked.text("address")}};
}

// Its mail stays until housekeeping ends it: facteur undelete brings it back.
Task<Answer> remove_account(const CommandDoors& doors, const Asked& asked) {
  auto id = co_await doors.admin.remove_account(asked.text("address"), doors.clock.utc());
  if (!id) co_return failed(id);
  co_return done(co_await doors.mailboxes.set_closed(*id, true));
}

Task<Answer> rename_account(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.rename_account(asked.text("address"), asked.text("to"), asked.flag("keep_old")));
}
Task<Answer> set_password(const CommandDoors& doors, const Asked& asked) {
  observe::Secret password{asked.text("password")};
  if (password.value.empty()) co_return failure(Failure::Kind::permanent, "F-6102", "The password is empty");
  co_return done(
      co_await doors.admin.set_password(asked.text("address"), std::move(password), asked.flag("shared_secret")));
}
Task<Answer> set_quota(const CommandDoors& doors, const Asked& asked) {
  const auto bytes = asked.number("quota");
  if (!bytes) co_return failure(Failure::Kind::permanent, "F-6103", "The quota is not a number of octets");
  co_return done(co_await doors.admin.set_quota(asked.text("address"), *bytes));
}
Task<Answer> set_enabled(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_enabled(asked.text("address"), asked.flag("enabled")));
}
Task<Answer> set_name(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_display_name(asked.text("address"), asked.text("name")));
}
Task<Answer> add_address(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.add_address(asked.text("account"), asked.text("address")));
}
Task<Answer> remove_address(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.remove_address(asked.text("account"), asked.text("address")));
}

Task<Answer> list_aliases(const CommandDoors& doors, const Asked& asked) {
  auto aliases = doors.admin.list_aliases(asked.text("domain"));
  if (!aliases) co_return failed(aliases);
  json::array out;
  for (const auto& a : *aliases) out.push_back(json::object{{"address", a.address}, {"targets", array_of(a.targets)}});
  co_return out;
}
Task<Answer> set_alias(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_alias(asked.text("address"), asked.texts("targets")));
}
Task<Answer> remove_alias(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.remove_alias(asked.text("address")));
}

}  // namespace

void add_directory_commands(CommandTable& table) {
  table.insert({
      {"domain.list", list_domains},
      {"domain.add", add_domain},
      {"domain.remove", remove_domain},
      {"domain.catch_all", set_catch_all},
      {"account.list", list_accounts},
      {"account.add", add_account},
      {"account.remove", remove_account},
      {"account.rename", rename_account},
      {"account.passwd", set_password},
      {"account.quota", set_quota},
      {"account.enable", set_enabled},
      {"account.name", set_name},
      {"account.add_address", add_address},
      {"account.remove_address", remove_address},
      {"alias.list", list_aliases},
      {"alias.set", set_alias},
      {"alias.remove", remove_alias},
  });
}

}  // namespace facteur::server
