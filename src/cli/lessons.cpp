#include "cli/lessons.hpp"

#include "base/ascii.hpp"

namespace facteur::cli {

namespace {

using Speech = Lesson::Speech;

constexpr Lesson all_lessons[] = {
    // ---- SMTP, what the client says
    {Speech::smtp, true, "EHLO ", "RFC 5321 §4.1.1.1",
     "The client gives its name and asks which extensions the server has.",
     "Le client donne son nom et demande quelles extensions le serveur connaît."},
    {Speech::smtp, true, "HELO ", "RFC 5321 §4.1.1.1", "The old greeting, without extensions.",
     "L'ancienne salutation, sans extensions."},
    {Speech::smtp, true, "STARTTLS", "RFC 3207 §4", "From here on everything is encrypted.",
     "À partir d'ici, tout est chiffré."},
    {Speech::smtp, true, "AUTH PLAIN", "RFC 4616 §2",
     "The login, in base64: \\0login\\0password. Only encoded, not encrypted: over the Internet it needs TLS.",
     "La connexion, en base64 : \\0login\\0mot de passe. C'est codé, pas chiffré : sur l'Internet, il faut TLS."},
    {Speech::smtp, true, "MAIL FROM:", "RFC 5321 §4.1.1.2",
     "The envelope, first half: who sends it. Errors go back to this address.",
     "L'enveloppe, première moitié : l'expéditeur. Les erreurs reviennent à cette adresse."},
    {Speech::smtp, true, "RCPT TO:", "RFC 5321 §4.1.1.3",
     "The envelope, second half: who shall get it. The To field in the letter is not looked at.",
     "L'enveloppe, seconde moitié : le destinataire. Le champ To de la lettre n'est pas regardé."},
    {Speech::smtp, true, "DATA", "RFC 5321 §4.1.1.4", "Now comes the letter itself, up to a line with a single dot.",
     "Maintenant vient la lettre elle-même, jusqu'à une ligne avec un seul point."},
    {Speech::smtp, true, "BDAT ", "RFC 3030 §2",
     "The letter in one piece of so many octets: no dot at the end is needed.",
     "La lettre en un bloc de tant d'octets : pas besoin de point final."},
    {Speech::smtp, true, ".", "RFC 5321 §4.5.2", "The dot: the letter ends here.", "Le point : la lettre finit ici."},
    {Speech::smtp, true, "QUIT", "RFC 5321 §4.1.1.10", "The client is done.", "Le client a fini."},
    {Speech::smtp, true, "RSET", "RFC 5321 §4.1.1.5", "Forget this envelope.", "Oublier cette enveloppe."},
    // ---- SMTP, what the server says
    {Speech::smtp, false, "220 2.0.0", "RFC 3207 §4", "Go ahead: the TLS handshake begins.",
     "Allez-y : la négociation TLS commence."},
    {Speech::smtp, false, "220", "RFC 5321 §4.3.1", "The server is ready and names itself.",
     "Le serveur est prêt et donne son nom."},
    {Speech::smtp, false, "250-PIPELINING", "RFC 2920", "Several commands may be sent without waiting for each answer.",
     "On peut envoyer plusieurs commandes sans attendre chaque réponse."},
    {Speech::smtp, false, "250-SIZE", "RFC 1870", "The largest message it takes, in octets.",
     "La taille maximale d'un message, en octets."},
    {Speech::smtp, false, "250-8BITMIME", "RFC 6152", "Letters may use octets above 127 (é, ü).",
     "Les lettres peuvent contenir des octets au-dessus de 127 (é, ü)."},
    {Speech::smtp, false, "250-STARTTLS", "RFC 3207", "Encryption is offered.", "Le chiffrement est proposé."},
    {Speech::smtp, false, "250-AUTH", "RFC 4954 §3", "The ways to log in.", "Les façons de s'authentifier."},
    {Speech::smtp, false, "250-DSN", "RFC 3461", "Delivery reports can be asked for.",
     "On peut demander des accusés de remise."},
    {Speech::smtp, false, "250-ENHANCEDSTATUSCODES", "RFC 2034", "Replies carry a second, finer code (2.1.5).",
     "Les réponses portent un second code, plus précis (2.1.5)."},
    {Speech::smtp, false, "250-CHUNKING", "RFC 3030", "The letter may be sent in counted pieces (BDAT).",
     "La lettre peut être envoyée en morceaux comptés (BDAT)."},
    {Speech::smtp, false, "250-BINARYMIME", "RFC 3030 §3", "Letters may hold any octets.",
     "Les lettres peuvent contenir n'importe quels octets."},
    {Speech::smtp, false, "250-SMTPUTF8", "RFC 6531", "Addresses may use all letters of the world.",
     "Les adresses peuvent utiliser toutes les lettres du monde."},
    {Speech::smtp, false, "250-ETRN", "RFC 1985", "A client may ask for its waiting mail.",
     "Un client peut demander le courrier qui l'attend."},
    {Speech::smtp, false, "250-LIMITS", "RFC 9422", "How much one session may do.",
     "Ce qu'une session peut faire au plus."},
    {Speech::smtp, false, "250 HELP", "RFC 5321 §4.1.1.8", "HELP is answered. The space behind 250: the last line.",
     "HELP est compris. L'espace après 250 : dernière ligne."},
    {Speech::smtp, false, "250-HELP", "RFC 5321 §4.1.1.8", "HELP is answered.", "HELP est compris."},
    {Speech::smtp, false, "250 2.1.0", "RFC 5321 §3.3", "The sender is taken. A code that begins with 2: yes.",
     "L'expéditeur est accepté. Un code qui commence par 2 : oui."},
    {Speech::smtp, false, "250 2.1.5", "RFC 5321 §3.3", "The recipient is taken.", "Le destinataire est accepté."},
    {Speech::smtp, false, "250 2.0.0", "RFC 5321 §4.2.5",
     "Taken: it is safe on disk, and from now on this server is responsible for it.",
     "Accepté : c'est sur le disque, et désormais ce serveur en est responsable."},
    {Speech::smtp, false, "250-", "RFC 5321 §4.2.1", "Several lines: the dash says that more follow.",
     "Plusieurs lignes : le tiret annonce une suite."},
    {Speech::smtp, false, "250", "RFC 5321 §4.2.3", "Yes.", "Oui."},
    {Speech::smtp, false, "235", "RFC 4954 §6", "The login is good: this client may send to anywhere.",
     "Connexion acceptée : ce client peut envoyer partout."},
    {Speech::smtp, false, "354", "RFC 5321 §4.2.3", "Go on. A code that begins with 3: I am waiting for more.",
     "Continuez. Un code qui commence par 3 : j'attends la suite."},
    {Speech::smtp, false, "221", "RFC 5321 §4.1.1.10", "Goodbye; the connection is closed.",
     "Au revoir ; la connexion est fermée."},
    {Speech::smtp, false, "4", "RFC 5321 §4.2.1", "Not now. A code that begins with 4: try again later.",
     "Pas maintenant. Un code qui commence par 4 : réessayer plus tard."},
    {Speech::smtp, false, "5", "RFC 5321 §4.2.1", "No. A code that begins with 5: it is of no use to try again.",
     "Non. Un code qui commence par 5 : inutile de réessayer."},
    // ---- POP3
    {Speech::pop3, true, "CAPA", "RFC 2449 §5", "What can you do?", "Que savez-vous faire ?"},
    {Speech::pop3, true, "USER ", "RFC 1939 §7", "Whose mailbox.", "À qui est la boîte."},
    {Speech::pop3, true, "PASS ", "RFC 1939 §7",
     "The password, readable for everyone on the way: over the Internet only with TLS.",
     "Le mot de passe, lisible par tous en chemin : sur l'Internet, seulement avec TLS."},
    {Speech::pop3, true, "STAT", "RFC 1939 §5", "How many messages, and how large all together?",
     "Combien de messages, et quelle taille en tout ?"},
    {Speech::pop3, true, "LIST", "RFC 1939 §5", "The size of each message.", "La taille de chaque message."},
    {Speech::pop3, true, "UIDL", "RFC 1939 §7",
     "A name for each message that never changes: so a program knows what it has read already.",
     "Un nom par message, qui ne change jamais : ainsi le logiciel sait ce qu'il a déjà lu."},
    {Speech::pop3, true, "RETR ", "RFC 1939 §5", "Give me this message.", "Donnez-moi ce message."},
    {Speech::pop3, true, "DELE ", "RFC 1939 §5", "Delete it when the session ends.", "À effacer en fin de session."},
    {Speech::pop3, true, "QUIT", "RFC 1939 §6", "End. Many programs say DELE first; we leave the message for IMAP.",
     "Fin. Beaucoup de logiciels disent d'abord DELE ; nous laissons le message pour IMAP."},
    {Speech::pop3, false, "+OK", "RFC 1939 §3", "Yes.", "Oui."},
    {Speech::pop3, false, "-ERR", "RFC 1939 §3", "No.", "Non."},
    {Speech::pop3, false, ".", "RFC 1939 §3", "The dot: the end of an answer of several lines.",
     "Le point : fin d'une réponse de plusieurs lignes."},
    // ---- IMAP
    {Speech::imap, true, "# LOGIN ", "RFC 9051 §6.2.3",
     "Login. Each command begins with a tag, which its answer repeats.",
     "Connexion. Chaque commande commence par une étiquette, que sa réponse répète."},
    {Speech::imap, true, "# SELECT ", "RFC 9051 §6.3.2", "Open a mailbox: on an IMAP server mail stays in folders.",
     "Ouvrir une boîte : avec IMAP, le courrier reste sur le serveur, dans des dossiers."},
    {Speech::imap, true, "# FETCH ", "RFC 9051 §6.4.5", "Fetch parts of messages: here flags, size and the envelope.",
     "Lire des parties de messages : ici les marques, la taille et l'enveloppe."},
    {Speech::imap, true, "# LOGOUT", "RFC 9051 §6.1.3", "The client is done. The message stays where it is.",
     "Le client a fini. Le message reste où il est."},
    {Speech::imap, false, "* OK [CAPABILITY", "RFC 9051 §7.1", "The server is ready and says what it can do.",
     "Le serveur est prêt et dit ce qu'il sait faire."},
    {Speech::imap, false, "* OK [UIDVALIDITY", "RFC 9051 §2.3.1.1", "UIDs of this mailbox hold as long as this number.",
     "Les UID de cette boîte valent tant que ce nombre ne change pas."},
    {Speech::imap, false, "* OK [UIDNEXT", "RFC 9051 §2.3.1.1", "The next message will have this UID.",
     "Le prochain message aura cet UID."},
    {Speech::imap, false, "* OK [PERMANENTFLAGS", "RFC 9051 §7.1", "The flags that can be changed.",
     "Les marques que l'on peut changer."},
    {Speech::imap, false, "* OK [HIGHESTMODSEQ", "RFC 7162 §3.1.2.1", "A counter of changes, for quick synchronising.",
     "Un compteur de changements, pour synchroniser vite."},
    {Speech::imap, false, "* FLAGS", "RFC 9051 §7.3.5", "The flags messages can have: read, answered...",
     "Les marques possibles : lu, répondu..."},
    {Speech::imap, false, "* LIST", "RFC 9051 §7.3.1", "The name of the mailbox.", "Le nom de la boîte."},
    {Speech::imap, false, "* BYE", "RFC 9051 §7.1.5", "Goodbye.", "Au revoir."},
    {Speech::imap, false, "* OK", "RFC 9051 §7.1.1", "The server is ready.", "Le serveur est prêt."},
    {Speech::imap, false, "* # EXISTS", "RFC 9051 §7.4.1", "So many messages are in it.",
     "Il contient tant de messages."},
    {Speech::imap, false, "* # RECENT", "RFC 3501 §7.3.2", "So many are new since somebody last looked.",
     "Tant sont arrivés depuis la dernière visite."},
    {Speech::imap, false, "* # FETCH", "RFC 9051 §7.5.2", "The data asked for: date, subject, from, to, Message-ID.",
     "Les données demandées : date, sujet, from, to, Message-ID."},
    {Speech::imap, false, "# OK", "RFC 9051 §7.1.1", "Done; the tag says which command.",
     "Fait ; l'étiquette dit quelle commande."},
    {Speech::imap, false, "# NO", "RFC 9051 §7.1.2", "No.", "Non."},
    {Speech::imap, false, "# BAD", "RFC 9051 §7.1.3", "This was not understood.", "Ce n'est pas compris."},
    // ---- header fields
    {Speech::header, false, "Return-Path:", "RFC 5321 §4.4", "The envelope's sender, written by the last server.",
     "L'expéditeur de l'enveloppe, écrit par le dernier serveur."},
    {Speech::header, false, "Delivered-To:", "RFC 9228", "The mailbox it was put into.", "La boîte où il a été rangé."},
    {Speech::header, false, "Received:", "RFC 5321 §4.4",
     "A postmark: each server on the way puts one on top. Read them from bottom to top.",
     "Un cachet de la poste : chaque serveur en ajoute un au-dessus. À lire de bas en haut."},
    {Speech::header, false, "Date:", "RFC 5322 §3.6.1", "When it was written, says the sender's machine.",
     "Quand il a été écrit, d'après la machine de l'expéditeur."},
    {Speech::header, false, "From:", "RFC 5322 §3.6.2", "Who wrote it, says the letter. Nobody has checked it.",
     "Qui l'a écrit, d'après la lettre. Personne ne l'a vérifié."},
    {Speech::header, false, "To:", "RFC 5322 §3.6.3", "To whom, says the letter. The envelope decides.",
     "À qui, d'après la lettre. C'est l'enveloppe qui décide."},
    {Speech::header, false, "Subject:", "RFC 5322 §3.6.5", "What it is about.", "De quoi il s'agit."},
    {Speech::header, false, "Message-ID:", "RFC 5322 §3.6.4", "A name no other message in the world has.",
     "Un nom qu'aucun autre message au monde ne porte."},
    {Speech::header, false, "MIME-Version:", "RFC 2045 §4", "The letter follows the rules of MIME.",
     "La lettre suit les règles MIME."},
    {Speech::header, false, "Content-Type:", "RFC 2045 §5", "What the body is, and its character set.",
     "La nature du corps, et son jeu de caractères."},
    {Speech::header, false, "Content-Transfer-Encoding:", "RFC 2045 §6", "How the body is encoded.",
     "Comment le corps est codé."},
};

// Whether `line` begins with `pattern`; "# " in the pattern takes any one word but "*".
bool begins(std::string_view line, std::string_view pattern) {
  while (!pattern.empty()) {
    if (pattern.starts_with("# ")) {
      const auto space = line.find(' ');
      if (space == std::string_view::npos || line.starts_with("* ")) return false;
      line.remove_prefix(space + 1);
      pattern.remove_prefix(2);
      continue;
    }
    if (line.empty() || ascii::to_lower(line.front()) != ascii::to_lower(pattern.front())) return false;
    line.remove_prefix(1);
    pattern.remove_prefix(1);
  }
  return true;
}

}  // namespace

std::span<const Lesson> lessons() { return all_lessons; }

std::string explain_line(observe::Language language, Speech speech, bool client, std::string_view line) {
  for (const auto& lesson : all_lessons) {
    if (lesson.speech != speech || lesson.client != client) continue;
    if (lesson.prefix == "." ? line != "." : !begins(line, lesson.prefix)) continue;
    const auto text = language == observe::Language::fr ? lesson.fr : lesson.en;
    return std::string(text) + " [" + std::string(lesson.rfc) + "]";
  }
  return {};
}

}  // namespace facteur::cli
