// The command line while it is built: what every family of commands needs to add its own. One commands_*.cpp a family;
// only these and run.cpp know CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/ask.hpp"
#include "cli/context.hpp"

namespace facteur::cli {

class CommandLine {
 public:
  using Show = std::function<std::string(const boost::json::value&)>;

  explicit CommandLine(observe::Language language);
  int run(int argc, char** argv);  // The exit code.

  CLI::App& app() { return app_; }
  const Context& context() const { return context_; }
  std::string say(std::string_view key) const { return context_.say(key); }

  // "facteur NAME ...": a group of commands. Help texts are "help.NAME" and "help.NAME.COMMAND" of the catalogue.
  CLI::App* group(const std::string& name);
  // A command of `parent` (a group, or app()); `action` gives the exit code.
  CLI::App* command(CLI::App* parent, const std::string& name, std::function<int()> action);

  // Asks the server, or the store itself when none runs; prints the answer by `show`, or "done".
  int ask_and(boost::json::object request, const Show& show = {}, bool needs_server = false) const;

 private:
  CLI::App app_;
  Context context_;
  std::string language_;
  std::function<int()> action_;
};

// Values of options, alive as long as what refers to them.
template <class T>
std::shared_ptr<T> values() {
  return std::make_shared<T>();
}

// The families.
void add_server_commands(CommandLine& line);
void add_config_commands(CommandLine& line);
void add_domain_commands(CommandLine& line);
void add_account_commands(CommandLine& line);
void add_alias_commands(CommandLine& line);
void add_queue_commands(CommandLine& line);
void add_moving_commands(CommandLine& line);  // import, export
void add_message_commands(CommandLine& line);
void add_compose_commands(CommandLine& line, CLI::App* parent);  // Of message.
void add_undelete_commands(CommandLine& line);
void add_guesses_commands(CommandLine& line);
void add_fsck_command(CommandLine& line);
void add_backup_commands(CommandLine& line);  // backup, verify, restore

}  // namespace facteur::cli
