#include "cli/trace.hpp"

#include <fstream>
#include <iostream>
#include <string>

#include "message/trace.hpp"

namespace facteur::cli {

std::optional<std::string> read_message(const Context& context, const std::string& file) {
  std::ifstream opened;
  if (file != "-") opened.open(file, std::ios::binary);
  std::istream& in = file == "-" ? std::cin : static_cast<std::istream&>(opened);
  // Not through an iterator: what the disk refuses (a folder) would come as an exception.
  std::string text, piece(std::size_t{64} << 10, '\0');
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    text.append(piece, 0, static_cast<std::size_t>(in.gcount()));
  }
  if ((file == "-" || opened.is_open()) && !in.bad()) return text;
  complain(context.say("error.read", {file}));
  return std::nullopt;
}

int trace(const Context& context, const std::string& file) {
  const auto text = read_message(context, file);
  if (!text) return ExitCode::failed;
  const auto way = message::analyse_trace(*text);
  const auto language =
      context.language == observe::Language::fr ? message::Language::french : message::Language::english;
  print(context.json ? message::write_trace_json(way) + "\n" : message::write_trace(way, language));
  return ExitCode::done;
}

}  // namespace facteur::cli
