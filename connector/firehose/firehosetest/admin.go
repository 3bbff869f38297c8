package firehosetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Handler serves the service, and its admin interface below /_emulator/.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/_emulator/", s.Admin())
	mux.Handle("/", s)
	return mux
}

// Admin returns the handler for changing the service while it runs. It checks
// no credentials: let it listen where only those come who may break the service.
//
//	GET, PUT, DELETE  /_emulator/faults          the script, as ParseFaults reads it
//	POST              /_emulator/faults          adds a script to the one in force
//	GET               /_emulator/stats           the counters, a Stats
//	GET, PUT          /_emulator/streams         the streams; PUT adds or replaces one Stream
//	DELETE            /_emulator/streams/{name}  removes one
//	PUT               /_emulator/streams/{name}/quota  gives one a new Quota
//	GET               /_emulator/health          200, always
func (s *Service) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_emulator/faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Faults()) })
	mux.HandleFunc("PUT /_emulator/faults", func(w http.ResponseWriter, r *http.Request) {
		s.script(w, r, s.SetFaults)
	})
	mux.HandleFunc("POST /_emulator/faults", func(w http.ResponseWriter, r *http.Request) {
		s.script(w, r, func(faults []Fault) {
			for _, f := range faults {
				s.AddFault(f)
			}
		})
	})
	mux.HandleFunc("DELETE /_emulator/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		reply(w, s.Faults())
	})
	mux.HandleFunc("GET /_emulator/stats", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Stats()) })
	mux.HandleFunc("GET /_emulator/streams", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Streams()) })
	mux.HandleFunc("PUT /_emulator/streams", s.putStream)
	mux.HandleFunc("DELETE /_emulator/streams/{name}", func(w http.ResponseWriter, r *http.Request) {
		s.known(w, r, s.DeleteStream(r.PathValue("name")))
	})
	mux.HandleFunc("PUT /_emulator/streams/{name}/quota", s.putQuota)
	mux.HandleFunc("GET /_emulator/health", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]string{"status": "ok"})
	})
	return mux
}

// script reads a script, puts it to use, and replies with the one in force.
func (s *Service) script(w http.ResponseWriter, r *http.Request, use func([]Fault)) {
	faults, err := ParseFaults(limited(w, r))
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	use(faults)
	reply(w, s.Faults())
}

func (s *Service) putStream(w http.ResponseWriter, r *http.Request) {
	var st Stream
	err := strictJSON(limited(w, r), &st)
	if err == nil {
		err = st.Validate()
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	s.AddStream(st)
	reply(w, s.Streams())
}

func (s *Service) putQuota(w http.ResponseWriter, r *http.Request) {
	var q Quota
	err := strictJSON(limited(w, r), &q)
	if err == nil {
		err = q.Validate()
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	s.known(w, r, s.SetQuota(r.PathValue("name"), q))
}

// known replies with the streams, or 404 if the one named is not among them.
func (s *Service) known(w http.ResponseWriter, r *http.Request, ok bool) {
	if !ok {
		refuse(w, http.StatusNotFound, fmt.Errorf("there is no stream %q", r.PathValue("name")))
		return
	}
	reply(w, s.Streams())
}

// limited is the request's body, up to a size that no script needs.
func limited(w http.ResponseWriter, r *http.Request) io.Reader {
	return http.MaxBytesReader(w, r.Body, 1<<20)
}

// strictJSON decodes one value and refuses members that do not exist.
func strictJSON(r io.Reader, to any) error {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the reader has gone
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // the reader has gone
}
