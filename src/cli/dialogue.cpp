#include "cli/dialogue.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "cli/context.hpp"

namespace facteur::cli {

using Speech = Lesson::Speech;

namespace {

class ShownStream : public world::Stream {
 public:
  ShownStream(std::unique_ptr<world::Stream> below, std::shared_ptr<Dialogue> dialogue)
      : below_(std::move(below)), dialogue_(std::move(dialogue)) {}

  Task<Result<bool>> readable(Instant deadline, Wakeup* wakeup) override { return below_->readable(deadline, wakeup); }
  Task<Result<std::size_t>> read(Room room, Instant deadline) override {
    auto count = co_await below_->read(room, deadline);
    if (count) dialogue_->server_says(Bytes(room.data(), *count));
    co_return count;
  }
  Task<Result<void>> write(Bytes bytes, Instant deadline) override {
    dialogue_->client_says(bytes);
    return below_->write(bytes, deadline);
  }
  Task<Result<void>> write(std::span<const Bytes> pieces, Instant deadline) override {
    for (const Bytes piece : pieces) dialogue_->client_says(piece);
    return below_->write(pieces, deadline);
  }
  void end() override { below_->end(); }
  void close() override { below_->close(); }
  Endpoint peer() const override { return below_->peer(); }
  Endpoint local() const override { return below_->local(); }

 private:
  std::unique_ptr<world::Stream> below_;
  std::shared_ptr<Dialogue> dialogue_;
};

// For the terminal: tabs as spaces, letters of UTF-8 as they are, everything that could steer the terminal escaped.
std::string shown(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto octet = static_cast<unsigned char>(text[i]);
    const std::size_t length = octet >= 0xe1 && octet < 0xf0 ? 3 : octet >= 0xc3 && octet < 0xe0 ? 2 : 1;
    const std::string_view letter = text.substr(i, length);
    const bool whole = length > 1 && letter.size() == length && std::ranges::all_of(letter.substr(1), [](char c) {
                         return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
                       });
    if (whole) {
      out += letter;
    } else {
      out += text[i] == '\t' ? "    " : ascii::escaped(text.substr(i, 1));
    }
    i += whole ? length : 1;
  }
  return out;
}

}  // namespace

std::unique_ptr<world::Stream> show(std::unique_ptr<world::Stream> stream, std::shared_ptr<Dialogue> dialogue) {
  return std::make_unique<ShownStream>(std::move(stream), std::move(dialogue));
}

void Dialogue::take(Bytes octets, bool client) {
  std::string& pending = pending_[client ? 1 : 0];
  pending += octets;
  for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
    std::string_view text(pending.data(), end);
    if (text.ends_with('\r')) text.remove_suffix(1);
    line(text, client);
    pending.erase(0, end + 1);
  }
}

void Dialogue::line(std::string_view text, bool client) {
  const bool letter_here = letter_ && client == (speech_ == Speech::smtp);
  if (letter_here && text != ".") {
    letter_line(text, client);
    return;
  }
  if (letter_here) letter_ = false;
  print(std::string(client ? ">>> " : "<<< ") + shown(text) + "\n");
  const std::string meaning = explain_line(language_, speech_, client, text);
  if (!meaning.empty()) print("        " + meaning + "\n");
  if (speech_ == Speech::smtp && !client && text.starts_with("354")) letter_ = true;
  if (speech_ == Speech::pop3 && client) retrieving_ = ascii::starts_with_ignoring_case(text, "RETR ");
  if (speech_ == Speech::pop3 && !client && retrieving_ && text.starts_with("+OK")) letter_ = true;
  if (letter_) letter_body_ = false;
}

// A line of the letter: fields of the header are explained, the body speaks for itself.
void Dialogue::letter_line(std::string_view text, bool client) {
  print(std::string(client ? ">>> " : "<<< ") + "| " + shown(text) + "\n");
  if (text.empty()) letter_body_ = true;
  if (letter_body_ || text.starts_with(' ') || text.starts_with('\t')) return;
  const std::string meaning = explain_line(language_, Speech::header, false, text);
  if (!meaning.empty()) print("        " + meaning + "\n");
}

Task<Result<std::unique_ptr<world::Stream>>> ShowingNetwork::connect(const Endpoint& endpoint, Instant deadline,
                                                                     const IpAddress* source) {
  if (endpoint.port == port_) connecting_(endpoint);
  auto stream = co_await below_.connect(endpoint, deadline, source);
  if (!stream || endpoint.port != port_) co_return stream;
  co_return show(std::move(*stream), std::make_shared<Dialogue>(language_, Speech::smtp));
}

Task<Result<dns::MxAnswer>> TellingResolver::mx(std::string domain, Instant deadline) {
  auto answer = co_await below_.mx(domain, deadline);
  std::string told;
  if (answer) {
    for (const auto& mx : answer->records)
      told += (told.empty() ? "" : ", ") + std::to_string(mx.preference) + " " + mx.host;
  }
  tell_(domain + " MX ?", told);
  co_return answer;
}

Task<Result<dns::AddressAnswer>> TellingResolver::addresses(std::string host, Instant deadline) {
  auto answer = co_await below_.addresses(host, deadline);
  std::string told;
  if (answer) {
    for (const auto& address : answer->addresses) told += (told.empty() ? "" : ", ") + to_string(address);
  }
  tell_(host + " A ?", told);
  co_return answer;
}

}  // namespace facteur::cli
