// AUTH (RFC 4954): carries the octets of a SASL exchange; what they mean is sasl/'s, who they belong to the
// directory's.
#include <algorithm>
#include <variant>

#include "base/ascii.hpp"
#include "smtp/server_state.hpp"

namespace facteur::smtp {
namespace {

constexpr std::size_t longest_login_line = 12288;  // RFC 4954 §4.

}  // namespace

void ServerSession::State::auth(Bytes text) {
  if (parameters.mechanisms.empty()) return not_offered({});
  if (!extended) return wrong(503, "5.5.1", "Say EHLO first");
  if (logged_in) return wrong(503, "5.5.1", "You have logged in already");
  if (mail) return wrong(503, "5.5.1", "Not inside a message");
  // RFC 4954 §4: no password where anybody can read it.
  if (!may_log_in()) return wrong(538, "5.7.11", "Logging in needs encryption: say STARTTLS first");
  const auto space = text.find(' ');
  const auto mechanism = sasl::parse_mechanism(text.substr(0, space));
  if (text.empty()) return wrong(501, "5.5.4", "Write AUTH and a mechanism");
  const auto& offered = parameters.mechanisms;
  if (!mechanism || std::ranges::find(offered, *mechanism) == offered.end()) {
    return wrong(504, "5.5.4", "This mechanism is not offered");
  }
  std::optional<std::string> initial;
  if (space != Bytes::npos) {
    const auto given = text.substr(space + 1);
    initial = given == "=" ? std::string() : from_base64(given);  // RFC 4954 §4: "=" is an empty response.
    if (!initial) return wrong(501, "5.5.2", "That is not base64");
  }
  exchange = std::make_unique<sasl::ServerExchange>(sasl::ServerExchange::Parameters{
      .hostname = parameters.hostname, .nonce = sasl::fresh_nonce(parameters.random, exchanges++)});
  login_reply = {};
  login_step(exchange->start(*mechanism, initial ? std::optional<Bytes>(*initial) : std::nullopt));
}

bool ServerSession::State::login_line() {
  const Bytes held = input.held();
  const auto line_end = held.find('\n');
  if (line_end == Bytes::npos && held.size() <= longest_login_line && !draining) return false;
  if (line_end == Bytes::npos || line_end + 1 > longest_login_line) {
    exchange.reset();
    phase = Phase::command;  // Where overlong lines and the end of the server are dealt with.
    return true;
  }
  Bytes line = held.substr(0, line_end);
  input.take(line_end + 1);
  restart_clock();
  phase = Phase::command;
  if (!line.ends_with('\r')) {
    wrong(500, "5.5.2", "Lines end with CR and LF");
    return true;
  }
  line.remove_suffix(1);
  if (line == "*") {  // RFC 4954 §4: the client gives up.
    wrong(501, "5.7.0", "Given up");
    return true;
  }
  const auto decoded = from_base64(line);
  if (!decoded) {
    wrong(501, "5.5.2", "That is not base64");
    return true;
  }
  login_step(exchange->response(*decoded));
  return true;
}

void ServerSession::State::login_step(sasl::Step step) {
  if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
    replies += "334 " + to_base64(challenge->octets) + "\r\n";  // RFC 4954 §4: without an enhanced code.
    phase = Phase::login;
  } else if (auto* fetch = std::get_if<sasl::FetchVerifier>(&step)) {
    ask(Open::verifier, FetchVerifier{.mechanism = fetch->mechanism, .login = std::move(fetch->login)});
  } else if (auto* check = std::get_if<sasl::CheckCredentials>(&step)) {
    ask(Open::login, Authenticate{std::move(check->credentials)});
  } else {
    login_done(std::get<sasl::Done>(step));
  }
}

void ServerSession::State::login_done(const sasl::Done& done) {
  exchange.reset();
  phase = Phase::command;
  if (done.accepted) {
    logged_in = true;
    return reply(login_reply, 235, "2.7.0", "Authentication succeeded");
  }
  if (done.malformed) return wrong(501, "5.5.2", "That is not what the mechanism asks for");
  if (login_reply.temporary()) return reply(login_reply, 454, "4.7.0", "");
  if (login_reply.permanent()) {
    reply(login_reply, 535, "5.7.8", "");
  } else {
    reply(535, "5.7.8", "Login or password is wrong");
  }
  if (++failed_logins >= parameters.failed_logins) end(421, "4.7.0", "Too many failed logins: closing");
}

}  // namespace facteur::smtp
