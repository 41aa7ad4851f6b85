#include "cli/trace.hpp"

#include <fstream>
#include <iostream>
#include <iterator>

#include "message/trace.hpp"

namespace facteur::cli {

int trace(const Context& context, const std::string& file) {
  std::string text;
  if (file == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
      complain(context.say("error.read", {file}));
      return ExitCode::failed;
    }
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto way = message::analyse_trace(text);
  const auto language =
      context.language == observe::Language::fr ? message::Language::french : message::Language::english;
  print(context.json ? message::write_trace_json(way) + "\n" : message::write_trace(way, language));
  return ExitCode::done;
}

}  // namespace facteur::cli
