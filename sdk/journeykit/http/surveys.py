"""The answer page of surveys: what it asks, and what it says when that is answered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from journeykit.http.messages import Answer
from journeykit.http.page import (
    Look,
    button,
    form,
    said,
    scores,
    words,
    wrong,
)
from journeykit.model.surveys import MAX_TEXT, SCALES, said_in

_MOST_FIELDS = 20  # of a query; mailing tools add some of their own


class Words(NamedTuple):
    """The texts of the page in one language; plain text, escaped where it is used.

    Attributes:
        questions: What is asked, by kind, where the author asks nothing else.
        low: What the lowest score means, by kind.
        high: What the highest one means, by kind.
        choose: Above the scores.
        comment: Above the field for words, beside a score.
        words: Above the field for words where there is nothing else.
        send: On the button.
        missing: When the form was sent without an answer.
        thanks: A title, when it is done.
        done: Below it.
    """

    questions: Mapping[str, str]
    low: Mapping[str, str]
    high: Mapping[str, str]
    choose: str
    comment: str
    words: str
    send: str
    missing: str
    thanks: str
    done: str


def _by_kind(nps: str, csat: str, ces: str, text: str = "") -> Mapping[str, str]:
    return {"nps": nps, "csat": csat, "ces": ces, "text": text}


WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "en": Words(
            questions=_by_kind(
                "How likely are you to recommend us to a friend?",
                "How satisfied are you?",
                "How easy was it to get done what you wanted?",
                "What would you like to tell us?",
            ),
            low=_by_kind("not at all likely", "not at all satisfied", "very difficult"),
            high=_by_kind("extremely likely", "very satisfied", "very easy"),
            choose="Your score",
            comment="Would you like to tell us why? (optional)",
            words="Your answer",
            send="Send",
            missing="Something is missing: please answer, and send it again.",
            thanks="Thank you",
            done="Your answer has reached us. You can close this page.",
        ),
        "de": Words(
            questions=_by_kind(
                "Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?",
                "Wie zufrieden sind Sie?",
                "Wie einfach war es, Ihr Anliegen zu erledigen?",
                "Was möchten Sie uns sagen?",
            ),
            low=_by_kind(
                "sehr unwahrscheinlich", "gar nicht zufrieden", "sehr schwierig"
            ),
            high=_by_kind("sehr wahrscheinlich", "sehr zufrieden", "sehr einfach"),
            choose="Ihre Bewertung",
            comment="Möchten Sie uns sagen, warum? (freiwillig)",
            words="Ihre Antwort",
            send="Senden",
            missing="Es fehlt etwas: Bitte antworten Sie und senden Sie es noch einmal.",
            thanks="Vielen Dank",
            done="Ihre Antwort ist bei uns angekommen. Sie können diese Seite schließen.",
        ),
        "fr": Words(
            questions=_by_kind(
                "Quelle est la probabilité que vous nous recommandiez à un proche ?",
                "Quel est votre degré de satisfaction ?",
                "A-t-il été facile de faire ce que vous vouliez ?",
                "Que souhaitez-vous nous dire ?",
            ),
            low=_by_kind("très peu probable", "très faible", "très difficile"),
            high=_by_kind("très probable", "très élevé", "très facile"),
            choose="Votre note",
            comment="Souhaitez-vous nous dire pourquoi ? (facultatif)",
            words="Votre réponse",
            send="Envoyer",
            missing="Il manque quelque chose : répondez, puis envoyez à nouveau.",
            thanks="Merci",
            done="Votre réponse nous est parvenue. Vous pouvez fermer cette page.",
        ),
        "es": Words(
            questions=_by_kind(
                "¿Con qué probabilidad nos recomendaría a un amigo?",
                "¿Cuál es su grado de satisfacción?",
                "¿Le resultó fácil hacer lo que quería?",
                "¿Qué le gustaría decirnos?",
            ),
            low=_by_kind("nada probable", "muy bajo", "muy difícil"),
            high=_by_kind("muy probable", "muy alto", "muy fácil"),
            choose="Su puntuación",
            comment="¿Quiere decirnos por qué? (opcional)",
            words="Su respuesta",
            send="Enviar",
            missing="Falta algo: responda y envíelo de nuevo.",
            thanks="Gracias",
            done="Hemos recibido su respuesta. Puede cerrar esta página.",
        ),
        "it": Words(
            questions=_by_kind(
                "Con quale probabilità ci consiglierebbe a un amico?",
                "Qual è il suo grado di soddisfazione?",
                "È stato facile fare quello che voleva?",
                "Che cosa vorrebbe dirci?",
            ),
            low=_by_kind("per niente probabile", "molto basso", "molto difficile"),
            high=_by_kind("molto probabile", "molto alto", "molto facile"),
            choose="Il suo punteggio",
            comment="Vuole dirci perché? (facoltativo)",
            words="La sua risposta",
            send="Invia",
            missing="Manca qualcosa: risponda e invii di nuovo.",
            thanks="Grazie",
            done="Abbiamo ricevuto la sua risposta. Può chiudere questa pagina.",
        ),
        "pt": Words(
            questions=_by_kind(
                "Qual é a probabilidade de nos recomendar a um amigo?",
                "Qual é o seu grau de satisfação?",
                "Foi fácil fazer o que queria?",
                "O que gostaria de nos dizer?",
            ),
            low=_by_kind("nada provável", "muito baixo", "muito difícil"),
            high=_by_kind("muito provável", "muito alto", "muito fácil"),
            choose="A sua pontuação",
            comment="Quer dizer-nos porquê? (opcional)",
            words="A sua resposta",
            send="Enviar",
            missing="Falta alguma coisa: responda e envie de novo.",
            thanks="Obrigado",
            done="Recebemos a sua resposta. Pode fechar esta página.",
        ),
        "nl": Words(
            questions=_by_kind(
                "Hoe waarschijnlijk is het dat u ons aanbeveelt?",
                "Hoe tevreden bent u?",
                "Hoe makkelijk was het om te doen wat u wilde?",
                "Wat wilt u ons vertellen?",
            ),
            low=_by_kind(
                "zeer onwaarschijnlijk", "helemaal niet tevreden", "zeer moeilijk"
            ),
            high=_by_kind("zeer waarschijnlijk", "zeer tevreden", "zeer makkelijk"),
            choose="Uw score",
            comment="Wilt u ons vertellen waarom? (niet verplicht)",
            words="Uw antwoord",
            send="Versturen",
            missing="Er ontbreekt iets: geef een antwoord en verstuur het opnieuw.",
            thanks="Bedankt",
            done="Wij hebben uw antwoord ontvangen. U kunt deze pagina sluiten.",
        ),
        "pl": Words(
            questions=_by_kind(
                "Jak prawdopodobne jest, że polecisz nas znajomym?",
                "Jak oceniasz swoje zadowolenie?",
                "Czy łatwo było załatwić to, czego chcesz?",
                "Co chcesz nam powiedzieć?",
            ),
            low=_by_kind(
                "bardzo mało prawdopodobne",
                "całkowity brak zadowolenia",
                "bardzo trudno",
            ),
            high=_by_kind("bardzo prawdopodobne", "pełne zadowolenie", "bardzo łatwo"),
            choose="Twoja ocena",
            comment="Chcesz powiedzieć nam, dlaczego? (nieobowiązkowe)",
            words="Twoja odpowiedź",
            send="Wyślij",
            missing="Czegoś brakuje: odpowiedz i wyślij jeszcze raz.",
            thanks="Dziękujemy",
            done="Twoja odpowiedź do nas dotarła. Możesz zamknąć tę stronę.",
        ),
        "sv": Words(
            questions=_by_kind(
                "Hur troligt är det att du rekommenderar oss till en vän?",
                "Hur nöjd är du?",
                "Hur lätt var det att få gjort det du ville?",
                "Vad vill du säga till oss?",
            ),
            low=_by_kind("inte alls troligt", "inte alls nöjd", "mycket svårt"),
            high=_by_kind("mycket troligt", "mycket nöjd", "mycket lätt"),
            choose="Ditt betyg",
            comment="Vill du berätta varför? (frivilligt)",
            words="Ditt svar",
            send="Skicka",
            missing="Något saknas: svara och skicka igen.",
            thanks="Tack",
            done="Vi har fått ditt svar. Du kan stänga sidan.",
        ),
        "ar": Words(
            questions=_by_kind(
                "ما مدى احتمال أن توصي بنا لصديق؟",
                "ما مدى رضاك؟",
                "ما مدى سهولة إنجاز ما أردت؟",
                "ماذا تود أن تقول لنا؟",
            ),
            low=_by_kind("غير محتمل إطلاقًا", "غير راضٍ إطلاقًا", "صعب جدًا"),
            high=_by_kind("محتمل جدًا", "راضٍ جدًا", "سهل جدًا"),
            choose="تقييمك",
            comment="هل تود أن تخبرنا بالسبب؟ (اختياري)",
            words="إجابتك",
            send="إرسال",
            missing="هناك شيء ناقص: يرجى الإجابة والإرسال مرة أخرى.",
            thanks="شكرًا لك",
            done="وصلتنا إجابتك. يمكنك إغلاق هذه الصفحة.",
        ),
    }
)
"""By language; the same languages as `journeykit.http.wording.WORDING`."""


def question_page(
    look: Look,
    *,
    kind: str,
    question: str,
    language: str,
    score: str = "",
    text: str = "",
    is_again: bool = False,
) -> Answer:
    """Return the page that asks.

    Args:
        look: Of the brand's pages.
        kind: What is asked for.
        question: The author's own; empty: the usual one of its kind.
        language: Of the page's texts.
        score: Which one is chosen already, as the link says.
        text: What was written already.
        is_again: Whether the form came without an answer.
    """
    own = WORDS[language]
    asked = question or own.questions.get(kind) or own.questions["text"]
    chosen = said_in(kind, score, "")
    scale = SCALES.get(kind)
    parts = [wrong(own.missing)] if is_again else []
    fields = []
    if scale is not None:
        fields.append(
            scores(
                own.choose,
                scale.scores,
                chosen=chosen.score if chosen else None,
                low=own.low[kind],
                high=own.high[kind],
            )
        )
    label = own.words if scale is None else own.comment
    fields.append(
        words(label, text=text[:MAX_TEXT], most=MAX_TEXT, needed=scale is None)
    )
    parts.append(form(*fields, button(own.send, value="answer", first=True)))
    # A screen reader says the title of a page first.
    window = f"{own.missing} {asked}" if is_again else asked
    status = 400 if is_again else 200
    return look.page(
        asked,
        parts,
        language=language,
        status=status,
        window=window,
        is_own=bool(question),
    )


def thanks_page(look: Look, language: str) -> Answer:
    """Return the page that says that an answer has come in."""
    own = WORDS[language]
    return look.page(own.thanks, [said(own.done)], language=language)


def score_in(url: str) -> str:
    """The score that a link names; empty: none. It chooses one, and records nothing."""
    try:
        found = parse_qs(urlsplit(url).query, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return ""
    return found.get("score", [""])[0][:2]


def in_language(texts: str | Mapping[str, str], locale: str, language: str) -> str:
    """The text for somebody of a locale; empty: there is none in their language.

    Args:
        texts: One for everybody, or some by locale; one without a locale is for others.
        locale: Theirs, such as `pt-BR`; empty if not known.
        language: That of the page.
    """
    if isinstance(texts, str):
        return texts
    by_tag = {tag.lower(): text for tag, text in texts.items()}
    wanted = locale.replace("_", "-").lower()
    while wanted:
        if wanted in by_tag:
            return by_tag[wanted]
        wanted = wanted.rpartition("-")[0]
    return by_tag.get(language) or by_tag.get("", "")
