// queue: mail that waits.
#include "cli/command_line.hpp"
#include "cli/print.hpp"

namespace facteur::cli {

namespace json = boost::json;

void add_queue_commands(CommandLine& line) {
  auto* parent = line.group("queue");
  line.command(parent, "list", [&line] {
    return line.ask_and({{"command", "queue.list"}},
                        [&line](const json::value& answer) { return queue(line.context(), answer); });
  });
  const auto id = values<std::string>();
  const auto entry = [&](const std::string& name, json::object request, bool required, CommandLine::Show show = {}) {
    auto* option = line.command(parent, name,
                                [&line, id, request, show] {
                                  json::object asked = request;
                                  asked["id"] = *id;
                                  return line.ask_and(std::move(asked), show);
                                })
                       ->add_option("id", *id, line.say("help.queue_id"));
    if (required) option->required();
  };
  entry("show", {{"command", "queue.show"}}, true, queue_entry);
  entry("retry", {{"command", "queue.retry"}}, false);
  entry("hold", {{"command", "queue.hold"}, {"on", true}}, true);
  entry("release", {{"command", "queue.hold"}, {"on", false}}, true);
  entry("delete", {{"command", "queue.delete"}}, true);
}

}  // namespace facteur::cli
