// guesses: what the brake on wrong passwords holds back, and how it lets go.
#include "cli/command_line.hpp"
#include "cli/print.hpp"

namespace facteur::cli {

namespace json = boost::json;

namespace {

std::string shown(const Context& context, const json::value& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.as_object().at("guesses").as_array()) {
    const auto& one = item.as_object();
    rows.push_back({context.say("guesses." + std::string(one.at("of").as_string())),
                    std::string(one.at("name").as_string()), json::serialize(one.at("wrong")),
                    one.at("held").as_bool() ? context.say("guesses.held") : ""});
  }
  return rows.empty() ? context.say("guesses.none") + "\n" : table(rows);
}

}  // namespace

void add_guesses_commands(CommandLine& line) {
  auto* parent = line.group("guesses");
  line.command(parent, "list", [&line] {
    return line.ask_and(
        {{"command", "guesses.list"}}, [&line](const json::value& answer) { return shown(line.context(), answer); },
        true);
  });
  struct Values {
    std::string name;
    bool all = false;
  };
  const auto v = values<Values>();
  auto* forget = line.command(parent, "forget", [&line, v] {
    return line.ask_and({{"command", "guesses.forget"}, {"name", v->name}, {"all", v->all}}, {}, true);
  });
  forget->add_option("name", v->name, line.say("help.guesses.name"));
  forget->add_flag("--all", v->all, line.say("help.guesses.all"));
}

}  // namespace facteur::cli
