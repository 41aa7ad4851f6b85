// guesses: what the brake on wrong passwords holds back, and how it lets go.
#include "directory/guesses.hpp"
#include "server/command_family.hpp"

namespace facteur::server {

namespace {

namespace json = boost::json;
using directory::Guesses;

std::string_view of_what(Guesses::Of of) {
  switch (of) {
    case Guesses::Of::login:
      return "login";
    case Guesses::Of::network:
      return "network";
    case Guesses::Of::source:
      return "source";
  }
  return {};
}

Answer not_running() { return failure(Failure::Kind::permanent, "F-6125", "No server is running"); }

Task<Answer> list(const CommandDoors& doors, const Asked&) {
  if (doors.guesses == nullptr) co_return not_running();
  const auto found = co_await doors.guesses->guesses();
  json::array out;
  for (const auto& one : found) {
    out.push_back(json::object{{"of", of_what(one.of)}, {"name", one.name}, {"wrong", one.wrong}, {"held", one.held}});
  }
  co_return json::object{{"guesses", std::move(out)}};
}

Task<Answer> forget(const CommandDoors& doors, const Asked& asked) {
  if (doors.guesses == nullptr) co_return not_running();
  if (asked.text("name").empty() && !asked.flag("all")) {
    co_return failure(Failure::Kind::permanent, "F-6123", "Say which: a name that guesses list shows, or all");
  }
  const std::size_t forgotten = co_await doors.guesses->forget_guesses(asked.text("name"));
  if (forgotten == 0 && !asked.flag("all")) {
    co_return failure(Failure::Kind::permanent, "F-6124", "Nothing is counted of " + asked.text("name"));
  }
  co_return json::object{{"forgotten", forgotten}};
}

}  // namespace

void add_guesses_commands(CommandTable& table) { table.insert({{"guesses.list", list}, {"guesses.forget", forget}}); }

}  // namespace facteur::server
