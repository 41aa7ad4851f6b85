#include "cli/run.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "cli/ask.hpp"
#include "cli/configuration.hpp"
#include "cli/context.hpp"
#include "cli/demo.hpp"
#include "cli/import.hpp"
#include "cli/message_file.hpp"
#include "cli/password.hpp"
#include "cli/print.hpp"
#include "cli/serve.hpp"
#include "cli/trace.hpp"
#include "config/describe.hpp"

namespace facteur::cli {

namespace {

namespace json = boost::json;
constexpr const char* default_config = "/etc/facteur/facteur.toml";

// Values of options, alive as long as the parser points to them.
struct Values {
  std::string name, address, to, id, file = "-", option, quota, domain;
  std::vector<std::string> targets;
  bool keep_old = false, shared_secret = false, no_password = false;
  FirstConfiguration first;
  DemoOptions demo;
  ImportOptions import;
  ExportOptions out{.format = "mbox", .dialect = "mboxrd"};
};

class CommandLine {
 public:
  explicit CommandLine(observe::Language language) : app_("", "facteur") {
    context_.language = language;
    const char* from_environment = std::getenv("FACTEUR_CONFIG");
    context_.config_path = from_environment ? from_environment : default_config;
    app_.description(say("help.facteur"));
    app_.footer(say("help.footer"));
    app_.require_subcommand(0, 1);
    app_.fallthrough();
    app_.add_option("-c,--config", context_.config_path, say("help.config_file"));
    app_.add_flag("--json", context_.json, say("help.json"));
    app_.add_option("--lang", language_, say("help.lang"))->check(CLI::IsMember({"en", "fr"}));
    app_.set_help_all_flag("--help-all", say("help.help_all"));
    add_server_commands();
    add_config_commands();
    add_domain_commands();
    add_account_commands();
    add_alias_commands();
    add_queue_commands();
    add_moving_commands();
    add_message_commands();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& help) {
      return app_.exit(help);
    } catch (const CLI::ParseError& wrong) {
      app_.exit(wrong);
      return ExitCode::wrong_usage;
    }
    if (!action_) {
      print(app_.help());
      return ExitCode::wrong_usage;
    }
    return action_();
  }

 private:
  std::string say(std::string_view key) const { return context_.say(key); }

  CLI::App* group(const std::string& name) {
    CLI::App* out = app_.add_subcommand(name, say("help." + name));
    out->require_subcommand(1);
    return out;
  }

  CLI::App* command(CLI::App* parent, const std::string& name, std::function<int()> action) {
    const std::string path = parent == &app_ ? name : parent->get_name() + "." + name;
    CLI::App* out = parent->add_subcommand(name, say("help." + path));
    out->callback([this, action = std::move(action)] { action_ = action; });
    return out;
  }

  // Asks the server; prints the answer by `show`, or "done".
  int ask_and(json::object request, const std::function<std::string(const json::value&)>& show = {},
              bool needs_server = false) {
    const Reply reply = ask(context_, request, needs_server);
    if (reply.exit_code != ExitCode::done) return reply.exit_code;
    if (context_.json) {
      print(json::serialize(reply.result) + "\n");
    } else {
      print(show ? show(reply.result) : say("done") + "\n");
    }
    return ExitCode::done;
  }

  int with_password(json::object request) {
    if (!values_.no_password) {
      auto password = read_password(context_, values_.address);
      if (!password) return ExitCode::failed;
      request["password"] = *password;
    }
    request["shared_secret"] = values_.shared_secret;
    return ask_and(std::move(request));
  }

  int set_quota() {
    const auto octets = config::parse_size(values_.quota);
    if (!octets) {
      complain(context_.say("error.size", {values_.quota}));
      return ExitCode::wrong_usage;
    }
    return ask_and({{"command", "account.quota"}, {"address", values_.address}, {"quota", *octets}});
  }

  void add_server_commands() {
    command(&app_, "serve", [this] { return serve(context_); })->alias("run");
    command(&app_, "reload", [this] { return ask_and({{"command", "reload"}}, {}, true); });
    command(&app_, "status", [this] { return ask_and({{"command", "status"}}, members); });
    auto* first = command(&app_, "init", [this] { return init(context_, values_.first); });
    first->add_option("--hostname", values_.first.hostname, say("help.init.hostname"))->required();
    first->add_option("--domain", values_.first.domain, say("help.init.domain"))->required();
    first->add_option("--postmaster", values_.first.postmaster, say("help.init.postmaster"))->required();
    first->add_option("--data", values_.first.data, say("help.init.data"));
    command(&app_, "trace", [this] {
      return trace(context_, values_.file);
    })->add_option("file", values_.file, say("help.trace.file"));
    auto* demonstration = command(&app_, "demo", [this] { return demo(context_, values_.demo); });
    demonstration->add_flag("--once", values_.demo.once, say("help.demo.once"));
    demonstration->add_option("--keep", values_.demo.keep, say("help.demo.keep"));
    demonstration->add_option("--base-port", values_.demo.base_port, say("help.demo.base_port"))
        ->check(CLI::Range(1024, 64000));
    command(&app_, "version", [] {
      print("facteur " FACTEUR_VERSION "\n");
      return int{ExitCode::done};
    });
    command(&app_, "help", [this] {
      print(app_.help("", CLI::AppFormatMode::All));
      return int{ExitCode::done};
    });
  }

  void add_config_commands() {
    auto* parent = group("config");
    command(parent, "check", [this] { return config_check(context_); });
    command(parent, "explain", [this] {
      return config_explain(context_, values_.option);
    })->add_option("option", values_.option, say("help.option"));
    command(parent, "diff", [this] { return config_diff(context_); });
    command(parent, "example", [] { return config_example(); });
    command(parent, "reference", [] { return config_reference(); });
  }

  void add_domain_commands() {
    auto* parent = group("domain");
    command(parent, "list", [this] { return ask_and({{"command", "domain.list"}}, domains); });
    auto named = [&](const std::string& name, const char* request) {
      auto* out = command(parent, name, [this, request] {
        return ask_and({{"command", request}, {"name", values_.name}, {"address", values_.address}});
      });
      out->add_option("domain", values_.name, say("help.domain_name"))->required();
      return out;
    };
    named("add", "domain.add");
    named("remove", "domain.remove");
    named("catch-all", "domain.catch_all")->add_option("address", values_.address, say("help.catch_all_address"));
  }

  CLI::App* on_account(CLI::App* parent, const std::string& name, std::function<int()> action) {
    auto* out = command(parent, name, std::move(action));
    out->add_option("address", values_.address, say("help.address"))->required();
    return out;
  }

  void add_account_commands() {
    auto* parent = group("account");
    command(parent, "list", [this] {
      return ask_and({{"command", "account.list"}, {"domain", values_.domain}},
                     [this](const json::value& answer) { return accounts(context_, answer); });
    })->add_option("domain", values_.domain, say("help.of_domain"));
    auto* add = on_account(parent, "add", [this] {
      json::object request{{"command", "account.add"}, {"address", values_.address}, {"name", values_.name}};
      if (const auto octets = config::parse_size(values_.quota)) request["quota"] = *octets;
      return with_password(std::move(request));
    });
    add->add_option("--name", values_.name, say("help.display_name"));
    add->add_option("--quota", values_.quota, say("help.quota"));
    add->add_flag("--shared-secret", values_.shared_secret, say("help.shared_secret"));
    add->add_flag("--no-password", values_.no_password, say("help.no_password"));
    on_account(parent, "passwd", [this] {
      return with_password({{"command", "account.passwd"}, {"address", values_.address}});
    })->add_flag("--shared-secret", values_.shared_secret, say("help.shared_secret"));
    on_account(parent, "remove",
               [this] { return ask_and({{"command", "account.remove"}, {"address", values_.address}}); });
    on_account(parent, "quota", [this] { return set_quota(); })
        ->add_option("size", values_.quota, say("help.quota"))
        ->required();
    add_account_changes(parent);
  }

  void add_account_changes(CLI::App* parent) {
    on_account(parent, "enable", [this] {
      return ask_and({{"command", "account.enable"}, {"address", values_.address}, {"enabled", true}});
    });
    on_account(parent, "disable", [this] {
      return ask_and({{"command", "account.enable"}, {"address", values_.address}, {"enabled", false}});
    });
    on_account(parent, "name", [this] {
      return ask_and({{"command", "account.name"}, {"address", values_.address}, {"name", values_.name}});
    })->add_option("name", values_.name, say("help.display_name"));
    auto* rename = on_account(parent, "rename", [this] {
      return ask_and({{"command", "account.rename"},
                      {"address", values_.address},
                      {"to", values_.to},
                      {"keep_old", values_.keep_old}});
    });
    rename->add_option("to", values_.to, say("help.new_address"))->required();
    rename->add_flag("--keep-old", values_.keep_old, say("help.keep_old"));
    const auto other = [&](const std::string& name, const char* request) {
      on_account(parent, name,
                 [this, request] {
                   return ask_and({{"command", request}, {"account", values_.address}, {"address", values_.to}});
                 })
          ->add_option("other", values_.to, say("help.other_address"))
          ->required();
    };
    other("add-address", "account.add_address");
    other("remove-address", "account.remove_address");
  }

  void add_alias_commands() {
    auto* parent = group("alias");
    command(parent, "list", [this] {
      return ask_and({{"command", "alias.list"}, {"domain", values_.domain}}, aliases);
    })->add_option("domain", values_.domain, say("help.of_domain"));
    on_account(
        parent, "add",
        [this] {
          json::array targets;
          for (const auto& target : values_.targets) targets.emplace_back(target);
          return ask_and({{"command", "alias.set"}, {"address", values_.address}, {"targets", std::move(targets)}});
        })
        ->add_option("targets", values_.targets, say("help.targets"))
        ->required();
    on_account(parent, "remove",
               [this] { return ask_and({{"command", "alias.remove"}, {"address", values_.address}}); });
  }

  void add_queue_commands() {
    auto* parent = group("queue");
    command(parent, "list", [this] {
      return ask_and({{"command", "queue.list"}},
                     [this](const json::value& answer) { return queue(context_, answer); });
    });
    const auto entry = [&](const std::string& name, json::object request, bool required,
                           std::function<std::string(const json::value&)> show = {}) {
      auto* option = command(parent, name, [this, request, show] {
                       json::object asked = request;
                       asked["id"] = values_.id;
                       return ask_and(std::move(asked), show);
                     })->add_option("id", values_.id, say("help.queue_id"));
      if (required) option->required();
    };
    entry("show", {{"command", "queue.show"}}, true, queue_entry);
    entry("retry", {{"command", "queue.retry"}}, false);
    entry("hold", {{"command", "queue.hold"}, {"on", true}}, true);
    entry("release", {{"command", "queue.hold"}, {"on", false}}, true);
    entry("delete", {{"command", "queue.delete"}}, true);
  }

  void add_message_commands() {
    auto* parent = group("message");
    const auto on_file = [&](const std::string& name, int (*action)(const Context&, const std::string&)) {
      command(parent, name, [this, action] {
        return action(context_, values_.file);
      })->add_option("file", values_.file, say("help.trace.file"));
    };
    on_file("show", message_show);
    on_file("structure", message_structure);
    on_file("headers", message_headers);
    on_file("trace", trace);
    on_file("verify", message_verify);
  }

  void add_moving_commands() {
    auto* in = command(&app_, "import", [this] { return import_letters(context_, values_.import); });
    in->add_option("address", values_.import.address, say("help.address"))->required();
    in->add_option("source", values_.import.source, say("help.import.source"))->required();
    in->add_option("--into", values_.import.into, say("help.import.into"));
    in->add_option("--format", values_.import.format, say("help.import.format"));
    in->add_flag("--again", values_.import.again, say("help.import.again"));
    auto* out = command(&app_, "export", [this] { return export_letters(context_, values_.out); });
    out->add_option("address", values_.out.address, say("help.address"))->required();
    out->add_option("target", values_.out.target, say("help.export.target"))->required();
    out->add_option("--format", values_.out.format, say("help.export.format"));
    out->add_option("--dialect", values_.out.dialect, say("help.export.dialect"));
    out->add_option("--mailbox", values_.out.mailboxes, say("help.export.mailbox"));
  }

  CLI::App app_;
  Context context_;
  Values values_;
  std::string language_;
  std::function<int()> action_;
};

// --lang, else the locale. Needed before parsing: help is in that language too.
observe::Language language_wanted(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--lang=")) return observe::language_of(argument.substr(7));
    if (argument == "--lang" && i + 1 < argc) return observe::language_of(argv[i + 1]);
  }
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(name);
    if (value && *value) return observe::language_of(value);
  }
  return observe::Language::en;
}

}  // namespace

int run(int argc, char** argv) {
  CommandLine line(language_wanted(argc, argv));
  return line.run(argc, argv);
}

}  // namespace facteur::cli
