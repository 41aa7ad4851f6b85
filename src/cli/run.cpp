#include "cli/run.hpp"

#include <cstdlib>
#include <utility>

#include "cli/command_line.hpp"

namespace facteur::cli {

namespace {

constexpr const char* default_config = "/etc/facteur/facteur.toml";

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

CommandLine::CommandLine(observe::Language language) : app_("", "facteur") {
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
  add_server_commands(*this);
  add_config_commands(*this);
  add_domain_commands(*this);
  add_account_commands(*this);
  add_alias_commands(*this);
  add_queue_commands(*this);
  add_moving_commands(*this);
  add_message_commands(*this);
  add_undelete_commands(*this);
  add_guesses_commands(*this);
  add_fsck_command(*this);
  add_backup_commands(*this);
}

int CommandLine::run(int argc, char** argv) {
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

CLI::App* CommandLine::group(const std::string& name) {
  CLI::App* out = app_.add_subcommand(name, say("help." + name));
  out->require_subcommand(1);
  return out;
}

CLI::App* CommandLine::command(CLI::App* parent, const std::string& name, std::function<int()> action) {
  const std::string path = parent == &app_ ? name : parent->get_name() + "." + name;
  CLI::App* out = parent->add_subcommand(name, say("help." + path));
  out->callback([this, action = std::move(action)] { action_ = action; });
  return out;
}

int CommandLine::ask_and(boost::json::object request, const Show& show, bool needs_server) const {
  const Reply reply = ask(context_, request, needs_server);
  if (reply.exit_code != ExitCode::done) return reply.exit_code;
  if (context_.json) {
    print(boost::json::serialize(reply.result) + "\n");
  } else {
    print(show ? show(reply.result) : say("done") + "\n");
  }
  return ExitCode::done;
}

int run(int argc, char** argv) {
  CommandLine line(language_wanted(argc, argv));
  return line.run(argc, argv);
}

}  // namespace facteur::cli
