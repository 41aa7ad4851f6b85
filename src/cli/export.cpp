#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "cli/ask.hpp"
#include "cli/box_writer.hpp"
#include "cli/import.hpp"
#include "cli/progress.hpp"
#include "mailbox/types.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;

std::uint64_t number_of(const json::object& object, std::string_view name) {
  const auto* found = object.if_contains(name);
  return found && found->is_int64() ? static_cast<std::uint64_t>(found->get_int64()) : 0;
}

LetterKept kept_of(const json::object& one) {
  using Bit = mailbox::Flags::Bit;
  LetterKept out;
  out.uid = number_of(one, "uid");
  out.id = number_of(one, "id");
  const auto* received = one.if_contains("received");
  if (received && received->is_int64()) out.received = UtcTime{received->get_int64()};
  const auto bits = number_of(one, "flags");
  out.state.seen = bits & Bit::seen;
  out.state.answered = bits & Bit::answered;
  out.state.flagged = bits & Bit::flagged;
  out.state.draft = bits & Bit::draft;
  out.state.deleted = bits & Bit::deleted;
  const auto* words = one.if_contains("keywords");
  for (const auto& word : words && words->is_array() ? words->get_array() : json::array()) {
    if (word.is_string()) out.state.add_keyword(word.get_string());
  }
  return out;
}

class Export {
 public:
  Export(Line& line, const Context& context, const ExportOptions& options, BoxFormat format,
         message::MboxDialect dialect)
      : line_(line), options_(options), format_(format), dialect_(dialect), progress_(context) {}

  Task<Result<void>> run() {
    const json::object request{{"command", "export.mailboxes"}, {"address", options_.address}};
    server::ControlMessage reply;
    auto heard = co_await ask(request, reply);
    if (!heard) co_return failed(heard);
    std::vector<std::string> paths;
    const auto* list = heard->if_array();
    for (const auto& box : list ? *list : json::array()) {
      const auto* path = box.is_object() ? box.get_object().if_contains("path") : nullptr;
      if (path && path->is_string()) paths.emplace_back(path->get_string());
    }
    for (const auto& wanted : options_.mailboxes) {
      if (std::ranges::find(paths, wanted) == paths.end()) {
        co_return failure(Failure::Kind::permanent, "F-6243", "There is no mailbox " + wanted);
      }
    }
    for (const auto& path : paths) {
      const auto& only = options_.mailboxes;
      if (!only.empty() && std::ranges::find(only, path) == only.end()) continue;
      auto done = co_await take(path);
      if (!done) co_return done;
      ++mailboxes;
    }
    co_return Result<void>{};
  }

  std::uint64_t exported = 0;
  std::uint64_t there = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t mailboxes = 0;
  const Progress& progress() const { return progress_; }

 private:
  Task<Result<json::value>> ask(const json::object& request, server::ControlMessage& reply) {
    server::ControlMessage message{json::serialize(request), {}};
    auto sent = line_.send(std::move(message));
    if (!sent) co_return failed(sent);
    json::value result;
    auto got = checked(co_await line_.receive(), result);
    if (!got) co_return failed(got);
    reply = std::move(*got);
    co_return result;
  }

  Task<Result<void>> take(const std::string& mailbox) {
    auto box = open_box(options_.target, mailbox, format_, dialect_);
    if (!box) co_return failed(box);
    std::uint64_t after = 0;
    for (bool more = true; more;) {
      const json::object request{
          {"command", "export.messages"}, {"address", options_.address}, {"mailbox", mailbox}, {"after", after}};
      server::ControlMessage reply;
      auto heard = co_await ask(request, reply);
      if (!heard) co_return failed(heard);
      const json::object empty;
      const auto& page = heard->is_object() ? heard->get_object() : empty;
      after = number_of(page, "last");
      const auto* again = page.if_contains("more");
      more = again && again->is_bool() && again->get_bool();
      auto written = co_await write_page(**box, mailbox, page, reply.octets);
      if (!written) co_return written;
    }
    co_return (*box)->finish();
  }

  Task<Result<void>> write_page(BoxWriter& box, const std::string& mailbox, const json::object& page, Bytes octets) {
    const auto* messages = page.if_contains("messages");
    for (const auto& item : messages && messages->is_array() ? messages->get_array() : json::array()) {
      const json::object& one = item.as_object();
      if (one.contains("error")) {
        ++unreadable;
        continue;
      }
      const LetterKept kept = kept_of(one);
      const std::uint64_t size = number_of(one, "size");
      std::string text;
      const bool pieces = one.contains("in_pieces");
      if (!pieces) {
        text = octets.substr(0, size);
        octets.remove_prefix(std::min<std::size_t>(size, octets.size()));
      }
      if (box.has(kept)) {
        ++there;
        continue;
      }
      if (pieces) {
        auto got = co_await fetch(mailbox, kept.uid, size, text);
        if (!got) co_return got;
      }
      auto written = box.write(kept, text);
      if (!written) co_return written;
      ++exported;
      progress_.add(1, text.size());
    }
    co_return Result<void>{};
  }

  Task<Result<void>> fetch(const std::string& mailbox, std::uint64_t uid, std::uint64_t size, std::string& text) {
    while (text.size() < size) {
      const json::object request{{"command", "export.piece"},
                                 {"address", options_.address},
                                 {"mailbox", mailbox},
                                 {"uid", uid},
                                 {"offset", text.size()}};
      server::ControlMessage reply;
      auto heard = co_await ask(request, reply);
      if (!heard) co_return failed(heard);
      if (reply.octets.empty()) co_return failure(Failure::Kind::temporary, "F-6244", "A message ended too early");
      text += reply.octets;
    }
    co_return Result<void>{};
  }

  Line& line_;
  const ExportOptions& options_;
  BoxFormat format_;
  message::MboxDialect dialect_;
  Progress progress_;
};

Task<void> carry_out(Line& line, const Context& context, const ExportOptions& options, BoxFormat format,
                     message::MboxDialect dialect, int& code) {
  Export work(line, context, options, format, dialect);
  auto done = co_await work.run();
  const auto& progress = work.progress();
  if (context.json) {
    json::object told{{"exported", work.exported},   {"there", work.there},        {"unreadable", work.unreadable},
                      {"mailboxes", work.mailboxes}, {"bytes", progress.octets()}, {"seconds", progress.seconds()}};
    if (!done) told["error"] = done.error().text;
    print(json::serialize(told) + "\n");
  } else {
    print(context.say("export.done",
                      {std::to_string(work.exported), std::to_string(work.there), std::to_string(work.unreadable),
                       std::to_string(work.mailboxes), fmt::format("{:.1f}", progress.seconds())}) +
          "\n");
  }
  if (!done) complain(done.error().text + " (" + std::string(done.error().code) + ")");
  if (!done || work.unreadable > 0) code = ExitCode::failed;
}

}  // namespace

int export_letters(const Context& context, const ExportOptions& options) {
  const auto format = box_format(options.format);
  const auto dialect = message::mbox_dialect(options.dialect);
  if (!format || !dialect) {
    complain(context.say("error.format", {format ? options.dialect : options.format}));
    return ExitCode::wrong_usage;
  }
  const BoxFormat chosen = *format == BoxFormat::automatic ? BoxFormat::mbox : *format;
  int code = ExitCode::done;
  const int talked =
      talk(context, [&](Line& line) { return carry_out(line, context, options, chosen, *dialect, code); });
  return talked != ExitCode::done ? talked : code;
}

}  // namespace facteur::cli
