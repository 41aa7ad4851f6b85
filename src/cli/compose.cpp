#include "cli/compose.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <ctime>
#include <expected>
#include <filesystem>
#include <optional>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "cli/trace.hpp"
#include "config/describe.hpp"
#include "host/clock.hpp"
#include "message/charset.hpp"
#include "message/complaint.hpp"
#include "message/file_type.hpp"
#include "message/mbox.hpp"
#include "message/mdn.hpp"
#include "message/partial.hpp"
#include "message/reply.hpp"
#include "message/seven_bit.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;
using message::Built;
using message::Correspondent;
using message::Draft;

// Why nothing was made: it has been said, and this is the exit code.
template <class T>
using Made = std::expected<T, int>;

std::unexpected<int> refuse(const Context& context, std::string_view key, std::string_view value,
                            int code = ExitCode::wrong_usage) {
  complain(context.say(key, {value}));
  return std::unexpected(code);
}

Made<std::string> file_text(const Context& context, const std::string& file) {
  auto text = read_message(context, file);
  if (!text) return std::unexpected(ExitCode::failed);
  return std::move(*text);
}

// Files of other programs end their lines with LF.
Made<std::string> message_text(const Context& context, const std::string& file) {
  auto text = file_text(context, file);
  if (text && text->find("\r\n") == std::string::npos) return message::crlf_lines(*text);
  return text;
}

Made<std::vector<Correspondent>> addresses(const Context& context, const std::vector<std::string>& lists) {
  std::vector<Correspondent> out;
  for (const auto& list : lists) {
    const auto valid = message::correspondents(list, true);
    std::size_t listed = 0;
    for (const auto& one : message::parse_address_list(list)) {
      listed += one.kind == message::ListedAddress::Kind::mailbox ? 1 : 0;
    }
    const bool controls = std::ranges::any_of(list, ascii::is_control);
    if (controls || valid.empty() || valid.size() != listed) return refuse(context, "error.address", list);
    out.insert(out.end(), valid.begin(), valid.end());
  }
  return out;
}

Made<Correspondent> one_address(const Context& context, const std::string& text) {
  auto list = addresses(context, {text});
  if (!list) return std::unexpected(list.error());
  if (list->size() != 1) return refuse(context, "error.address", text);
  return std::move(list->front());
}

message::Origin origin_of(const Correspondent& from) {
  message::Origin out{.at = host::Clock().utc(), .host = from.address.domain.text()};
  const std::time_t seconds = out.at.seconds();
  std::tm local{};
  if (localtime_r(&seconds, &local)) out.offset_minutes = static_cast<int>(local.tm_gmtoff / 60);
  host::Random().fill(out.chance);
  return out;
}

class Composer {
 public:
  Composer(const Context& context, const ComposeOptions& options) : context_(context), options_(options) {}

  Made<Draft> run() {
    if (auto done = begin(); !done) return std::unexpected(done.error());
    if (auto done = add_people(); !done) return std::unexpected(done.error());
    if (auto done = add_texts(); !done) return std::unexpected(done.error());
    if (auto done = add_files(); !done) return std::unexpected(done.error());
    return std::move(draft_);
  }

 private:
  Made<void> begin() {
    if (!options_.parent.empty()) {
      auto parent = message_text(context_, options_.parent);
      if (!parent) return std::unexpected(parent.error());
      parent_ = std::move(*parent);
      message::ReplyWishes wishes{.all = options_.all, .utf8 = options_.utf8};
      if (auto own = addresses(context_, options_.from)) {
        for (const auto& who : *own) wishes.own.push_back(who.address);
      }
      draft_ = message::reply_to(parent_, wishes);
    }
    for (const auto& file : options_.forwarded) {
      auto text = message_text(context_, file);
      if (!text) return std::unexpected(text.error());
      if (draft_.subject.empty()) draft_.subject = message::forward_of(*text).subject;
      draft_.forwarded.push_back(std::move(*text));
    }
    if (!options_.subject.empty()) draft_.subject = options_.subject;
    draft_.flowed = options_.flowed;
    draft_.transport = {.eight_bit = options_.eight_bit, .utf8 = options_.utf8};
    return {};
  }

  Made<void> add_people() {
    auto from = addresses(context_, options_.from);
    if (!from) return std::unexpected(from.error());
    draft_.from = std::move(*from);
    auto sender = addresses(context_, options_.sender);
    if (!sender) return std::unexpected(sender.error());
    if (!sender->empty()) draft_.sender = sender->front();
    auto replies = addresses(context_, options_.reply_to);
    if (!replies) return std::unexpected(replies.error());
    draft_.reply_to = std::move(*replies);
    if (options_.notify) draft_.notify_reading = {draft_.from.front()};
    for (const auto& [given, into] :
         {std::pair(&options_.to, &draft_.to), {&options_.cc, &draft_.cc}, {&options_.bcc, &draft_.bcc}}) {
      auto list = addresses(context_, *given);
      if (!list) return std::unexpected(list.error());
      into->insert(into->end(), list->begin(), list->end());
    }
    return {};
  }

  Made<void> add_texts() {
    for (const auto& [file, into] : {std::pair(&options_.text, &draft_.text), {&options_.html, &draft_.html}}) {
      if (file->empty()) continue;
      auto text = file_text(context_, *file);
      if (!text) return std::unexpected(text.error());
      if (!message::is_utf8(*text)) return refuse(context_, "error.not_utf8", *file, ExitCode::failed);
      *into = std::move(*text);
    }
    if (options_.quote && !parent_.empty()) {
      draft_.text = draft_.text.value_or("") + "\n" + message::quoted_text(parent_);
    }
    return {};
  }

  Made<void> add_files() {
    for (const auto& file : options_.attached) {
      auto added = draft_file(file);
      if (!added) return std::unexpected(added.error());
      draft_.attached.push_back(std::move(*added));
    }
    for (const auto& one : options_.inlined) {
      const std::size_t equals = one.find('=');
      if (equals == std::string::npos || equals == 0) return refuse(context_, "error.inline", one);
      auto added = draft_file(one.substr(equals + 1));
      if (!added) return std::unexpected(added.error());
      added->content_id = one.substr(0, equals);
      draft_.inlined.push_back(std::move(*added));
    }
    return {};
  }

  Made<message::DraftFile> draft_file(const std::string& file) {
    auto octets = file_text(context_, file);
    if (!octets) return std::unexpected(octets.error());
    std::string name = std::filesystem::path(file).filename().string();
    if (!message::is_utf8(name)) name = message::to_utf8(name, "windows-1252");
    return message::DraftFile{
        .type = std::string(message::file_type(name)), .name = name, .octets = std::move(*octets)};
  }

  const Context& context_;
  const ComposeOptions& options_;
  Draft draft_;
  std::string parent_;
};

json::object told(const std::string& octets) {
  json::object out{{"octets", octets.size()}};
  if (message::is_utf8(octets)) {
    out["text"] = octets;
  } else {
    out["base64"] = to_base64(octets);
  }
  return out;
}

// One message as it is; several as an mbox, which any program takes apart.
int write(const Context& context, const Built& built, const std::vector<std::string>& messages, UtcTime at,
          const std::string& sender) {
  if (context.json) {
    json::array recipients;
    for (const auto& one : built.recipients) recipients.emplace_back(one.text());
    json::array list;
    for (const auto& one : messages) list.push_back(told(one));
    print(json::serialize(json::object{{"message_id", built.message_id},
                                       {"sender", sender},
                                       {"recipients", std::move(recipients)},
                                       {"eight_bit", built.eight_bit},
                                       {"utf8", built.utf8},
                                       {"messages", std::move(list)}}) +
          "\n");
    return ExitCode::done;
  }
  if (messages.size() == 1) {
    print(messages.front());
    return ExitCode::done;
  }
  std::string out;
  for (const auto& one : messages) message::append_mbox(out, one, sender, at, {});
  print(out);
  return ExitCode::done;
}

int say_failure(const Failure& why) {
  complain(why.text);
  return ExitCode::failed;
}

}  // namespace

int message_compose(const Context& context, const ComposeOptions& options) {
  std::size_t most = 0;
  if (!options.split.empty()) {
    const auto size = config::parse_size(options.split);
    if (!size || *size == 0) return refuse(context, "error.size", options.split).error();
    most = *size;
  }
  auto draft = Composer(context, options).run();
  if (!draft) return draft.error();
  if (most > 0) draft->transport = {};  // RFC 2046 §5.2.2: pieces are 7bit.
  const auto origin = origin_of(draft->from.front());
  const auto built = message::build_message(*draft, origin);
  if (!built) return say_failure(built.error());
  std::vector<std::string> messages{built->octets};
  if (most > 0) {
    auto pieces = message::split(built->octets, most, origin);
    if (!pieces) return say_failure(pieces.error());
    messages = std::move(*pieces);
  }
  return write(context, *built, messages, origin.at, draft->from.front().address.text());
}

int message_receipt(const Context& context, const ReceiptOptions& options) {
  using message::Fate;
  using Answer = message::ReadingRequest::Answer;
  const auto text = message_text(context, options.file);
  if (!text) return text.error();
  auto from = one_address(context, options.from);
  if (!from) return from.error();
  auto request = message::reading_request(*text);
  if (request.answer == Answer::none) return refuse(context, "receipt.none", "", ExitCode::failed).error();
  const bool may = request.answer == Answer::automatic || (request.answer == Answer::ask && !options.automatic);
  if (!may) {
    return refuse(context, "receipt.refused", context.say("receipt." + std::string(request.why)), ExitCode::failed)
        .error();
  }
  message::ReadingNotice notice{.from = *from};
  notice.to = std::move(request.to);
  notice.origin = origin_of(*from);
  notice.fate = options.disposition == "deleted"      ? Fate::deleted
                : options.disposition == "dispatched" ? Fate::dispatched
                : options.disposition == "processed"  ? Fate::processed
                                                      : Fate::displayed;
  notice.automatic_action = notice.sent_automatically = options.automatic;
  notice.original_recipient = request.original_recipient;
  notice.language = context.language == observe::Language::fr ? message::Language::french : message::Language::english;
  notice.original = *text;
  notice.transport.utf8 = !from->address.is_ascii();
  for (const auto& who : notice.to) notice.transport.utf8 = notice.transport.utf8 || !who.address.is_ascii();
  const auto built = message::build_reading_notice(notice);
  if (!built) return say_failure(built.error());
  return write(context, *built, {built->octets}, notice.origin.at, "");  // RFC 8098 §3: the null reverse-path.
}

int message_complaint(const Context& context, const ComplaintOptions& options) {
  const auto text = message_text(context, options.file);
  if (!text) return text.error();
  auto from = one_address(context, options.from);
  if (!from) return from.error();
  auto to = addresses(context, options.to);
  if (!to) return to.error();
  message::Complaint complaint{.from = *from, .to = std::move(*to), .origin = origin_of(*from)};
  complaint.kind = message::complaint_kind(options.kind).value_or(message::ComplaintKind::other);
  complaint.original = *text;
  complaint.headers_only = options.headers_only;
  const auto built = message::build_complaint(complaint);
  if (!built) return say_failure(built.error());
  return write(context, *built, {built->octets}, complaint.origin.at, from->address.text());
}

int message_join(const Context& context, const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  for (const auto& file : files) {
    auto text = message_text(context, file);
    if (!text) return text.error();
    texts.push_back(std::move(*text));
  }
  const std::vector<Bytes> pieces(texts.begin(), texts.end());
  const auto whole = message::reassembled(pieces);
  if (!whole) return refuse(context, "error.pieces", "", ExitCode::failed).error();
  if (context.json) {
    print(json::serialize(told(*whole)) + "\n");
  } else {
    print(*whole);
  }
  return ExitCode::done;
}

}  // namespace facteur::cli
