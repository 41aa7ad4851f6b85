#include "cli/import.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <unordered_map>

#include "base/base64.hpp"
#include "cli/ask.hpp"
#include "cli/progress.hpp"
#include "crypto/hash.hpp"
#include "mailbox/types.hpp"
#include "server/transfers.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t most_on_the_way = 4;  // Requests sent and not answered: both sides have work.

std::uint8_t bits_of(const message::MailState& state) {
  using Bit = mailbox::Flags::Bit;
  unsigned bits = 0;
  if (state.seen) bits |= Bit::seen;
  if (state.answered) bits |= Bit::answered;
  if (state.flagged) bits |= Bit::flagged;
  if (state.draft) bits |= Bit::draft;
  if (state.deleted) bits |= Bit::deleted;
  return static_cast<std::uint8_t>(bits);
}

// One import under way: gathers small messages into batches, and keeps several of these on their way.
class Import {
 public:
  Import(Line& line, const Context& context, const ImportOptions& options)
      : line_(line), options_(options), progress_(context) {}

  Task<Result<void>> run(Letters& letters) {
    Letter letter;
    while (letters.next(letter)) {
      auto done = co_await take(letter);
      if (!done) co_return done;
    }
    auto done = co_await send_batch();
    if (!done) co_return done;
    while (on_the_way_ > 0) {
      done = co_await hear();
      if (!done) co_return done;
    }
    if (mailboxes == 0) co_return Result<void>{};
    server::ControlMessage end{R"({"command":"import.end"})", {}};
    done = co_await send(std::move(end));
    if (!done) co_return done;
    co_return co_await hear();
  }

  // After a failure: what was filed all the same.
  Task<void> gather() {
    server::ControlMessage end{R"({"command":"import.end"})", {}};
    if (mailboxes == 0 || !line_.send(std::move(end))) co_return;
    ++on_the_way_;
    while (on_the_way_ > 0) static_cast<void>(co_await hear());
  }

  std::uint64_t imported = 0;
  std::uint64_t known = 0;
  std::uint64_t mailboxes = 0;
  const Progress& progress() const { return progress_; }

 private:
  Task<Result<void>> take(Letter& letter) {
    if (letter.only_mailbox || letter.mailbox != mailbox_) {
      auto moved = co_await enter(letter.mailbox);
      if (!moved || letter.only_mailbox) co_return moved;
    }
    json::object one;
    one["size"] = letter.octets.size();
    if (const auto bits = bits_of(letter.state)) one["flags"] = bits;
    if (!letter.state.keywords.empty()) {
      json::array words;
      for (const auto& word : letter.state.keywords) words.emplace_back(word);
      one["keywords"] = std::move(words);
    }
    if (letter.received) one["received"] = letter.received->milliseconds;
    if (!options_.again) one["source"] = name_of(letter.octets);
    if (letter.octets.size() > server::transfer_piece) {
      auto sent = co_await send_large(letter.octets);
      if (!sent) co_return sent;
      one["in_pieces"] = true;
      messages_.push_back(std::move(one));
      co_return co_await send_batch();
    }
    messages_.push_back(std::move(one));
    octets_ += letter.octets;
    if (octets_.size() < server::transfer_batch && messages_.size() < server::transfer_messages) {
      co_return Result<void>{};
    }
    co_return co_await send_batch();
  }

  // Same content twice in one mailbox is two messages: the second one has another name.
  std::string name_of(Bytes octets) {
    const std::string hash = crypto::sha256(octets).string().substr(0, 16);
    const auto count = seen_[hash]++;
    return to_hex(hash) + "-" + std::to_string(count);
  }

  Task<Result<void>> enter(const std::string& mailbox) {
    auto sent = co_await send_batch();
    if (!sent || mailbox == mailbox_) co_return sent;
    mailbox_ = mailbox;
    seen_.clear();
    ++mailboxes;
    const json::object request{{"command", "import.mailbox"},
                               {"address", options_.address},
                               {"mailbox", mailbox},
                               {"quota", !options_.ignore_quota}};
    server::ControlMessage message{json::serialize(request), {}};
    co_return co_await send(std::move(message));
  }

  Task<Result<void>> send_large(Bytes octets) {
    auto sent = co_await send_batch();
    while (sent && !octets.empty()) {
      server::ControlMessage message{R"({"command":"import.piece"})",
                                     std::string(octets.substr(0, server::transfer_piece))};
      octets.remove_prefix(message.octets.size());
      progress_.add(0, message.octets.size());
      sent = co_await send(std::move(message));
    }
    co_return sent;
  }

  Task<Result<void>> send_batch() {
    if (messages_.empty()) co_return Result<void>{};
    progress_.add(messages_.size(), octets_.size());
    const json::object request{{"command", "import.messages"}, {"messages", std::move(messages_)}, {"go_on", true}};
    server::ControlMessage message{json::serialize(request), std::move(octets_)};
    messages_ = {};
    octets_ = {};
    co_return co_await send(std::move(message));
  }

  Task<Result<void>> send(server::ControlMessage message) {
    if (on_the_way_ == most_on_the_way) {
      auto heard = co_await hear();
      if (!heard) co_return heard;
    }
    auto sent = line_.send(std::move(message));
    if (sent) ++on_the_way_;
    co_return sent;
  }

  Task<Result<void>> hear() {
    --on_the_way_;
    json::value result;
    auto reply = checked(co_await line_.receive(), result);
    if (!reply) co_return failed(reply);
    const auto* object = result.if_object();
    const auto number = [&](const char* name) {
      const auto* found = object ? object->if_contains(name) : nullptr;
      return found && found->is_int64() ? static_cast<std::uint64_t>(found->get_int64()) : 0;
    };
    imported += number("imported");
    known += number("known");
    co_return Result<void>{};
  }

  Line& line_;
  const ImportOptions& options_;
  Progress progress_;
  std::string mailbox_;
  json::array messages_;
  std::string octets_;
  std::unordered_map<std::string, std::uint32_t> seen_;  // By hash of content, in this mailbox.
  std::size_t on_the_way_ = 0;
};

Task<void> carry_in(Line& line, const Context& context, const ImportOptions& options, Letters& letters, int& code) {
  Import import(line, context, options);
  auto done = co_await import.run(letters);
  if (!done) co_await import.gather();
  const auto& progress = import.progress();
  if (context.json) {
    json::object told{{"imported", import.imported},   {"known", import.known},      {"skipped", letters.skipped()},
                      {"mailboxes", import.mailboxes}, {"bytes", progress.octets()}, {"seconds", progress.seconds()}};
    if (!done) told["error"] = done.error().text;
    print(json::serialize(told) + "\n");
  } else {
    print(context.say("import.done", {std::to_string(import.imported), std::to_string(import.known),
                                      std::to_string(letters.skipped()), fmt::format("{:.1f}", progress.seconds())}) +
          "\n");
  }
  if (done) co_return;
  complain(done.error().text + " (" + std::string(done.error().code) + ")");
  code = ExitCode::failed;
}

}  // namespace

int import_letters(const Context& context, const ImportOptions& options) {
  const auto format = box_format(options.format);
  if (!format) {
    complain(context.say("error.format", {options.format}));
    return ExitCode::wrong_usage;
  }
  auto letters = open_letters(options.source, *format, options.into);
  if (!letters) {
    complain(context.say("error.read", {options.source}));
    return ExitCode::failed;
  }
  int code = ExitCode::done;
  const int talked = talk(context, [&](Line& line) { return carry_in(line, context, options, **letters, code); });
  return talked != ExitCode::done ? talked : code;
}

}  // namespace facteur::cli
