// domain, account, alias: who has mail here.
#include <vector>

#include "cli/command_line.hpp"
#include "cli/password.hpp"
#include "cli/print.hpp"
#include "config/describe.hpp"

namespace facteur::cli {

namespace {

namespace json = boost::json;

struct AccountValues {
  std::string address, name, to, quota, domain;
  bool keep_old = false, shared_secret = false, no_password = false, reattach = false, fresh = false;
};
using Account = std::shared_ptr<AccountValues>;

CLI::App* on_account(CommandLine& line, CLI::App* parent, const Account& v, const std::string& name,
                     std::function<int()> action) {
  auto* out = line.command(parent, name, std::move(action));
  out->add_option("address", v->address, line.say("help.address"))->required();
  return out;
}

int with_password(const CommandLine& line, const AccountValues& v, json::object request) {
  if (!v.no_password) {
    auto password = read_password(line.context(), v.address);
    if (!password) return ExitCode::failed;
    request["password"] = *password;
  }
  request["shared_secret"] = v.shared_secret;
  return line.ask_and(std::move(request));
}

int set_quota(const CommandLine& line, const AccountValues& v) {
  const auto octets = config::parse_size(v.quota);
  if (!octets) {
    complain(line.context().say("error.size", {v.quota}));
    return ExitCode::wrong_usage;
  }
  return line.ask_and({{"command", "account.quota"}, {"address", v.address}, {"quota", *octets}});
}

void add_account_add(CommandLine& line, CLI::App* parent, const Account& v) {
  auto* add = on_account(line, parent, v, "add", [&line, v] {
    json::object request{{"command", "account.add"}, {"address", v->address}, {"name", v->name}};
    if (const auto octets = config::parse_size(v->quota)) request["quota"] = *octets;
    request["reattach"] = v->reattach;
    request["fresh"] = v->fresh;
    return with_password(line, *v, std::move(request));
  });
  add->add_option("--name", v->name, line.say("help.display_name"));
  add->add_option("--quota", v->quota, line.say("help.quota"));
  add->add_flag("--shared-secret", v->shared_secret, line.say("help.shared_secret"));
  add->add_flag("--no-password", v->no_password, line.say("help.no_password"));
  auto* reattach = add->add_flag("--reattach", v->reattach, line.say("help.reattach"));
  add->add_flag("--fresh", v->fresh, line.say("help.fresh"))->excludes(reattach);
}

void add_account_changes(CommandLine& line, CLI::App* parent, const Account& v) {
  const auto enable = [&](const std::string& name, bool enabled) {
    on_account(line, parent, v, name, [&line, v, enabled] {
      return line.ask_and({{"command", "account.enable"}, {"address", v->address}, {"enabled", enabled}});
    });
  };
  enable("enable", true);
  enable("disable", false);
  on_account(line, parent, v, "name", [&line, v] {
    return line.ask_and({{"command", "account.name"}, {"address", v->address}, {"name", v->name}});
  })->add_option("name", v->name, line.say("help.display_name"));
  auto* rename = on_account(line, parent, v, "rename", [&line, v] {
    return line.ask_and(
        {{"command", "account.rename"}, {"address", v->address}, {"to", v->to}, {"keep_old", v->keep_old}});
  });
  rename->add_option("to", v->to, line.say("help.new_address"))->required();
  rename->add_flag("--keep-old", v->keep_old, line.say("help.keep_old"));
  const auto other = [&](const std::string& name, const char* request) {
    on_account(line, parent, v, name,
               [&line, v, request] {
                 return line.ask_and({{"command", request}, {"account", v->address}, {"address", v->to}});
               })
        ->add_option("other", v->to, line.say("help.other_address"))
        ->required();
  };
  other("add-address", "account.add_address");
  other("remove-address", "account.remove_address");
}

}  // namespace

void add_domain_commands(CommandLine& line) {
  auto* parent = line.group("domain");
  line.command(parent, "list", [&line] { return line.ask_and({{"command", "domain.list"}}, domains); });
  struct Values {
    std::string name, address;
    bool reattach = false;
  };
  const auto v = values<Values>();
  auto* add = line.command(parent, "add", [&line, v] {
    return line.ask_and({{"command", "domain.add"}, {"name", v->name}, {"reattach", v->reattach}},
                        [&line](const json::value& answer) { return domain_added(line.context(), answer); });
  });
  add->add_option("domain", v->name, line.say("help.domain_name"))->required();
  add->add_flag("--reattach", v->reattach, line.say("help.reattach_all"));
  auto named = [&](const std::string& name, const char* request) {
    auto* out = line.command(parent, name, [&line, v, request] {
      return line.ask_and({{"command", request}, {"name", v->name}, {"address", v->address}});
    });
    out->add_option("domain", v->name, line.say("help.domain_name"))->required();
    return out;
  };
  named("remove", "domain.remove");
  named("catch-all", "domain.catch_all")->add_option("address", v->address, line.say("help.catch_all_address"));
}

void add_account_commands(CommandLine& line) {
  auto* parent = line.group("account");
  const auto v = values<AccountValues>();
  line.command(parent, "list",
               [&line, v] {
                 return line.ask_and({{"command", "account.list"}, {"domain", v->domain}},
                                     [&line](const json::value& answer) { return accounts(line.context(), answer); });
               })
      ->add_option("domain", v->domain, line.say("help.of_domain"));
  add_account_add(line, parent, v);
  on_account(line, parent, v, "passwd", [&line, v] {
    return with_password(line, *v, {{"command", "account.passwd"}, {"address", v->address}});
  })->add_flag("--shared-secret", v->shared_secret, line.say("help.shared_secret"));
  on_account(line, parent, v, "remove",
             [&line, v] { return line.ask_and({{"command", "account.remove"}, {"address", v->address}}); });
  on_account(line, parent, v, "quota", [&line, v] { return set_quota(line, *v); })
      ->add_option("size", v->quota, line.say("help.quota"))
      ->required();
  add_account_changes(line, parent, v);
}

void add_alias_commands(CommandLine& line) {
  auto* parent = line.group("alias");
  struct Values {
    std::string address, domain;
    std::vector<std::string> targets;
  };
  const auto v = values<Values>();
  line.command(parent, "list",
               [&line, v] { return line.ask_and({{"command", "alias.list"}, {"domain", v->domain}}, aliases); })
      ->add_option("domain", v->domain, line.say("help.of_domain"));
  auto* add = line.command(parent, "add", [&line, v] {
    json::array targets;
    for (const auto& target : v->targets) targets.emplace_back(target);
    return line.ask_and({{"command", "alias.set"}, {"address", v->address}, {"targets", std::move(targets)}});
  });
  add->add_option("address", v->address, line.say("help.address"))->required();
  add->add_option("targets", v->targets, line.say("help.targets"))->required();
  line.command(parent, "remove",
               [&line, v] { return line.ask_and({{"command", "alias.remove"}, {"address", v->address}}); })
      ->add_option("address", v->address, line.say("help.address"))
      ->required();
}

}  // namespace facteur::cli
