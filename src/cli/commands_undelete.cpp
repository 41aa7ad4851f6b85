// undelete: what was expunged or removed, and how it comes back.
#include <vector>

#include "cli/command_line.hpp"
#include "cli/print.hpp"

namespace facteur::cli {

namespace json = boost::json;

void add_undelete_commands(CommandLine& line) {
  auto* parent = line.group("undelete");
  struct Values {
    std::string address, folder, match;
    std::vector<std::string> ids;
    bool all = false;
  };
  const auto v = values<Values>();
  auto* list = line.command(parent, "list", [&line, v] {
    return line.ask_and(
        {{"command", "undelete.list"}, {"address", v->address}, {"folder", v->folder}, {"match", v->match}},
        [&line](const json::value& answer) { return deleted(line.context(), answer); });
  });
  list->add_option("address", v->address, line.say("help.undelete.whose"));
  list->add_option("--folder", v->folder, line.say("help.undelete.folder"));
  list->add_option("--match", v->match, line.say("help.undelete.match"));
  auto* restore = line.command(parent, "restore", [&line, v] {
    json::array ids;
    for (const auto& id : v->ids) ids.emplace_back(id);
    return line.ask_and({{"command", "undelete.restore"},
                         {"address", v->address},
                         {"folder", v->folder},
                         {"ids", std::move(ids)},
                         {"all", v->all}},
                        [&line](const json::value& answer) { return restored(line.context(), answer); });
  });
  restore->add_option("address", v->address, line.say("help.address"))->required();
  restore->add_option("--folder", v->folder, line.say("help.undelete.folder"));
  restore->add_option("--id", v->ids, line.say("help.undelete.ids"));
  restore->add_flag("--all", v->all, line.say("help.undelete.all"));
}

}  // namespace facteur::cli
